#include "engine/start_failure.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace hakuriver::engine {
namespace {

constexpr Outcome kNotFound{OutcomeKind::exited, 127};
constexpr Outcome kNotExecutable{OutcomeKind::exited, 126};

}  // namespace

StartFailure describe_execute_failure(const std::string& path, int error_number) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  const std::string name = "'" + path + "': ";
  if (error_number == ENOENT && exists) {
    return {kNotFound, name + "its interpreter (the '#!' line, or the loader) is not there"};
  }
  if (error_number == ENOENT || error_number == ENOTDIR) return {kNotFound, name + "no such file"};
  if (exists && S_ISDIR(status.st_mode)) return {kNotExecutable, name + "a directory, not a program"};
  if (error_number == EACCES) return {kNotExecutable, name + "not executable"};
  if (error_number == ENOEXEC)
    return {kNotExecutable, name + "neither a program for this machine nor a script with a '#!' line"};
  if (is_shortage(error_number)) return describe_machine_failure("'" + path + "'", error_number);
  return {kNotExecutable, name + std::generic_category().message(error_number)};
}

StartFailure describe_not_found(const std::string& name) { return {kNotFound, "'" + name + "': command not found"}; }

StartFailure describe_machine_failure(const std::string& step, int error_number) {
  return {{OutcomeKind::never_started, error_number}, step + ": " + std::generic_category().message(error_number)};
}

bool is_shortage(int error_number) noexcept {
  return error_number == EAGAIN || error_number == ENOMEM || error_number == EMFILE || error_number == ENFILE;
}

}  // namespace hakuriver::engine
