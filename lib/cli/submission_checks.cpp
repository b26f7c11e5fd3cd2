#include "cli/submission_checks.hpp"

#include "wire/submission_limits.hpp"

namespace hakuriver::cli {
namespace {

constexpr wire::FieldNames kNames{"command", "arguments", "--env", "--container", "--mount"};

Error usage(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

std::string shown(std::string_view text) { return "'" + std::string(text.substr(0, 80)) + "'"; }

Status check_mount(std::string_view mount) {
  const auto colon = mount.find(':');
  std::string_view inside = colon == std::string_view::npos ? "" : mount.substr(colon + 1);
  const auto second = inside.find(':');
  const std::string_view mode = second == std::string_view::npos ? "rw" : inside.substr(second + 1);
  inside = inside.substr(0, second);
  if (!mount.starts_with('/') || !inside.starts_with('/') || (mode != "ro" && mode != "rw")) {
    return usage("--mount: " + shown(mount) + ": expected /DIR/OF/NODE:/DIR/IN/CONTAINER, with :ro if it is only read");
  }
  return Unit{};
}

}  // namespace

Result<std::pair<std::string, std::string>> parse_variable(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return usage(shown(text) + ": expected NAME=VALUE");
  if (equals == 0) return usage(shown(text) + ": the name before '=' is empty");
  return std::pair{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

Status check_submission(const SubmitRequest& request) {
  const TaskSpec& spec = request.spec;
  for (const auto& mount : spec.mounts) {
    if (auto status = check_mount(mount); !status) return status;
  }
  if (!spec.working_directory.empty() && spec.working_directory[0] != '/') {
    return usage("--cwd: " + shown(spec.working_directory) + ": expected an absolute path, as on the node");
  }
  wire::InvalidInput errors;
  wire::check_limits(request, kNames, errors);
  if (!errors.empty()) return errors.error();
  return Unit{};
}

}  // namespace hakuriver::cli
