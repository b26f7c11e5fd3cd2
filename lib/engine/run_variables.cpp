#include "engine/run_variables.hpp"

#include <cstddef>

namespace hakuriver::engine {
namespace {

// total and run, which stay; index, slot, attempt, name; then the parameters.
constexpr std::size_t kFixed = 2;
constexpr std::size_t kBeforeParameters = 6;

// The entry's memory is used again.
void set(std::string& entry, std::string_view begin, std::string_view value) {
  entry.assign(begin);
  entry += value;
}

void set_parameter(std::string& entry, const Parameter& parameter) {
  entry.clear();
  append_parameter_variable(parameter.name, entry);
  entry += '=';
  entry += parameter.value.text;
}

}  // namespace

RunVariables::RunVariables(std::uint64_t total, std::string_view run) : entries_(kFixed) {
  set(entries_[0], "HAKURUN_TOTAL=", std::to_string(total));
  set(entries_[1], "HAKURUN_RUN=", run);
}

const std::vector<std::string>& RunVariables::of(const Command& command, std::uint64_t index, std::uint32_t slot,
                                                 std::uint32_t attempt) {
  entries_.resize(kBeforeParameters + command.parameters.size());
  set(entries_[kFixed], "HAKURUN_INDEX=", std::to_string(index + 1));
  set(entries_[kFixed + 1], "HAKURUN_SLOT=", std::to_string(slot));
  set(entries_[kFixed + 2], "HAKURUN_ATTEMPT=", std::to_string(attempt));
  set(entries_[kFixed + 3], "HAKURUN_NAME=", command.name);
  for (std::size_t i = 0; i < command.parameters.size(); ++i) {
    set_parameter(entries_[kBeforeParameters + i], command.parameters[i]);
  }
  return entries_;
}

}  // namespace hakuriver::engine
