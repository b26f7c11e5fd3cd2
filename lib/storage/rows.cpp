#include "storage/rows.hpp"

#include <utility>

#include "wire/json_text.hpp"
#include "wire/scanner.hpp"

namespace hakuriver::storage {

std::string encode_targets(const std::vector<Target>& targets) {
  std::string text;
  if (targets.empty()) return text;
  wire::append_array(text, targets,
                     [](std::string& out, const Target& target) { wire::append_text(out, to_string(target)); });
  return text;
}

std::string encode_failed_targets(const std::vector<FailedTarget>& failed) {
  std::string text;
  if (failed.empty()) return text;
  wire::append_array(text, failed, [](std::string& out, const FailedTarget& item) {
    wire::append_text(out, item.target);
    out += ',';
    wire::append_text(out, item.reason);
  });
  return text;
}

Result<std::vector<Target>> decode_targets(std::string_view text) {
  std::vector<Target> targets;
  if (text.empty()) return targets;
  wire::Scanner in(text, "targets");
  for (in.enter_array(); in.next_item();) {
    auto target = parse_target(in.text());
    if (in.failed()) break;
    if (!target) return std::move(target.error());
    targets.push_back(std::move(*target));
  }
  if (const auto status = in.status(); !status) return status.error();
  return targets;
}

Result<std::vector<FailedTarget>> decode_failed_targets(std::string_view text) {
  std::vector<FailedTarget> failed;
  if (text.empty()) return failed;
  wire::Scanner in(text, "failed targets");
  for (in.enter_array(); in.next_item();) {
    FailedTarget item;
    item.target = in.text();
    if (!in.next_item()) in.fail("a reason for each target");
    item.reason = in.text();
    failed.push_back(std::move(item));
  }
  if (const auto status = in.status(); !status) return status.error();
  return failed;
}

Result<TaskStatus> final_status(std::int64_t number) {
  if (number >= 0 && number < static_cast<std::int64_t>(kTaskStatusCount)) {
    const auto status = static_cast<TaskStatus>(number);
    if (is_final(status)) return status;
  }
  return Error{Errc::parse, std::to_string(number) + " is not the number of a final status"};
}

Result<OutcomeKind> outcome_kind(std::int64_t number) {
  if (number >= 0 && number <= static_cast<std::int64_t>(kLastOutcomeKind)) {
    return static_cast<OutcomeKind>(number);
  }
  return Error{Errc::parse, std::to_string(number) + " is not the number of an outcome"};
}

Error damaged(const std::string& path, const std::string& what, const Error& why) {
  return {Errc::io, "database '" + path + "': " + what + " is damaged: " + why.message};
}

}  // namespace hakuriver::storage
