#include "engine/child_defaults.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace hakuriver::engine {
namespace {

// Those that a run sets for each command: what we were given by a run outside of ours is not our commands' business.
bool is_run_variable(std::string_view entry) {
  constexpr std::array<std::string_view, 6> kNames = {
      "HAKURUN_INDEX=", "HAKURUN_TOTAL=", "HAKURUN_SLOT=", "HAKURUN_NAME=", "HAKURUN_ATTEMPT=", "HAKURUN_RUN="};
  constexpr std::string_view kParameter = "HAKURUN_PARAM_";
  if (entry.substr(0, kParameter.size()) == kParameter) return true;
  return std::any_of(kNames.begin(), kNames.end(), [entry](auto name) { return entry.substr(0, name.size()) == name; });
}

}  // namespace

void set_variable(std::vector<std::string>& environment, const std::string& entry) {
  const auto name = entry.substr(0, entry.find('=') + 1);
  if (name.empty()) return;
  const auto same = std::find_if(environment.begin(), environment.end(),
                                 [&name](const auto& other) { return other.compare(0, name.size(), name) == 0; });
  if (same == environment.end()) {
    environment.push_back(entry);
  } else {
    *same = entry;
  }
}

ChildDefaults ChildDefaults::of_this_process(const ChildOptions& options) {
  ChildDefaults defaults;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (!options.run_variables || !is_run_variable(*entry)) defaults.environment.emplace_back(*entry);
  }
  for (const auto& entry : options.environment) set_variable(defaults.environment, entry);
  defaults.working_directory = options.working_directory;
  if (options.nice != 0) {
    constexpr int kMostNice = 19;
    defaults.nice = std::clamp(::getpriority(PRIO_PROCESS, 0) + options.nice, -20, kMostNice);
  }
  ::pthread_sigmask(SIG_SETMASK, nullptr, &defaults.signal_mask);
  for (const int number : options.unblocked_signals) ::sigdelset(&defaults.signal_mask, number);
  ::getrlimit(RLIMIT_NOFILE, &defaults.open_files);
  return defaults;
}

}  // namespace hakuriver::engine
