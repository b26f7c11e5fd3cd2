#include "wire/submission_limits.hpp"

#include <algorithm>
#include <set>

#include "hakuriver/duration.hpp"
#include "wire/task_sweep.hpp"

namespace hakuriver::wire {
namespace {

Path path_of(std::string_view name) { return {std::string(name)}; }
Path path_of(std::string_view name, std::size_t index) { return {std::string(name), index}; }

void check_text(std::string_view text, std::size_t most, Path path, InvalidInput& errors) {
  if (text.find('\0') != std::string_view::npos) {
    errors.add(path, "must not hold a NUL character");
  } else if (text.size() > most) {
    errors.add(path, "must have at most " + std::to_string(most) + " bytes, not " + std::to_string(text.size()),
               "too_long");
  }
}

std::size_t check_argv(const Argv& argv, const FieldNames& names, InvalidInput& errors) {
  const std::size_t own = names.first_word.empty() ? 0 : 1;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    check_text(argv[i], kMaxArgumentBytes, i < own ? path_of(names.first_word) : path_of(names.words, i - own), errors);
    bytes += argv[i].size() + 1;
  }
  const Path first = own == 1 ? path_of(names.first_word) : path_of(names.words, 0);
  if (argv.empty()) errors.add(path_of(names.words), "must have at least one word", "too_short");
  if (!argv.empty() && argv[0].empty()) errors.add(first, "must not be empty", "too_short");
  return bytes;
}

// The same of all commands of a sweep at once: none may become too long.
std::size_t check_sweep(const TaskSweep& sweep, InvalidInput& errors) {
  const SweepSize size = measure(sweep.commands());
  const Path path = path_of("sweep");
  if (size.has_nul) errors.add(path, "must not hold a NUL character");
  if (size.shortest_command == 0) errors.add(path, "must not have an empty first word", "too_short");
  const std::size_t longest = std::max(size.longest_argument, size.longest_variable);
  if (longest > kMaxArgumentBytes) {
    errors.add(path,
               "must have words, and parameters in all, of at most " + std::to_string(kMaxArgumentBytes) +
                   " bytes, not " + std::to_string(longest),
               "too_long");
  }
  return size.argv_bytes + size.variables_bytes;
}

std::size_t check_environment(const TaskSpec& spec, const FieldNames& names, InvalidInput& errors) {
  std::set<std::string_view> seen;
  std::size_t bytes = 0;
  for (const auto& [name, value] : spec.environment) {
    const Path path{std::string(names.environment), name};
    if (name.empty() || name.find('=') != std::string::npos) {
      errors.add(path, "must have a name that is not empty and holds no '='");
    }
    if (!seen.insert(name).second) errors.add(path, "must be given once");
    check_text(name, kMaxArgumentBytes, path, errors);
    // execve counts NAME=value as one string.
    check_text(value, kMaxArgumentBytes - std::min(kMaxArgumentBytes, name.size() + 1), path, errors);
    bytes += name.size() + value.size() + 2;
  }
  return bytes;
}

void check_mounts(const TaskSpec& spec, const FieldNames& names, InvalidInput& errors) {
  for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
    const std::string& mount = spec.mounts[i];
    const auto colon = mount.find(':');
    check_text(mount, 2 * kMaxPathBytes, path_of(names.mounts, i), errors);
    if (colon == std::string::npos || colon == 0 || colon + 1 == mount.size()) {
      errors.add(path_of(names.mounts, i), "must be HOST_PATH:CONTAINER_PATH");
    }
  }
}

void check_time_limit(const TaskSpec& spec, const FieldNames& names, InvalidInput& errors) {
  if (spec.time_limit < std::chrono::milliseconds{0} || spec.time_limit > kMaxTimeLimit) {
    errors.add(path_of(names.time_limit), "must be at most " + to_duration_text(kMaxTimeLimit));
  }
}

void check_user(const TaskSpec& spec, InvalidInput& errors) {
  if (spec.user.empty() || is_user_name(spec.user)) return;
  errors.add(path_of("user"), "must be a user's name, at most " + std::to_string(kMaxUserBytes) +
                                  " bytes without blanks and none of : / , * ' \"");
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

bool is_submission_id(std::string_view text) noexcept {
  return text.size() <= kMaxSubmissionIdBytes && is_printable(text);
}

void check_limits(const SubmitRequest& request, const FieldNames& names, InvalidInput& errors) {
  const TaskSpec& spec = request.spec;
  const std::size_t command = spec.sweep ? check_sweep(*spec.sweep, errors) : check_argv(spec.argv, names, errors);
  const std::size_t bytes = command + check_environment(spec, names, errors);
  if (bytes > kMaxArgvAndEnvironmentBytes) {
    errors.add(path_of(names.words),
               "must have, with the environment, at most " + std::to_string(kMaxArgvAndEnvironmentBytes) +
                   " bytes, not " + std::to_string(bytes),
               "too_long");
  }
  check_mounts(spec, names, errors);
  check_text(spec.name, kMaxNameBytes, path_of("name"), errors);
  check_text(spec.container, kMaxNameBytes, path_of(names.container), errors);
  check_text(spec.working_directory, kMaxPathBytes, path_of("cwd"), errors);
  if (!spec.working_directory.empty() && spec.working_directory[0] != '/') {
    errors.add(path_of("cwd"), "must be an absolute path");
  }
  check_time_limit(spec, names, errors);
  check_user(spec, errors);
  if (!is_submission_id(request.submission_id)) {
    errors.add(path_of("submission_id"), "must be at most 64 printable ASCII characters without blanks");
  }
}

}  // namespace hakuriver::wire
