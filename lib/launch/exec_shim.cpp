#include "launch/exec_shim.hpp"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launch/account.hpp"
#include "launch/exec_options.hpp"
#include "launch/isolation.hpp"
#include "launch/spec_file.hpp"
#include "launch/start_report.hpp"

namespace hakuriver::launch {
namespace {

constexpr int kWrongWords = 2;
constexpr std::string_view kDefaultPath = "/bin:/usr/bin";  // as execvp has it where PATH is not set

using Failure = std::optional<ExecFailure>;

// What is the node's fault must not look like a command that is missing.
ExecFailure node_fault(const std::string& what, int error) {
  const bool is_misleading = error == ENOENT || error == EACCES || error == 0;
  return {is_misleading ? EIO : error, what + ": " + std::strerror(error)};
}

bool is_lack(int error) {
  constexpr int kLacks[] = {ENOMEM, EAGAIN, EMFILE, ENFILE, ENOSPC, EDQUOT, EIO, EINTR, ESTALE};
  return std::find(std::begin(kLacks), std::end(kLacks), error) != std::end(kLacks);
}

Failure append_to(const std::string& path, int descriptor) {
  if (path.empty()) return std::nullopt;
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
  if (file < 0 || ::dup2(file, descriptor) < 0) return node_fault("'" + path + "'", errno);
  if (file != descriptor) ::close(file);
  return std::nullopt;
}

// The very files, whatever is at their paths by now.
Failure share_outputs(std::uint32_t pid) {
  if (pid == 0) return std::nullopt;
  for (const int descriptor : {1, 2}) {
    const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(descriptor);
    const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
    if (file < 0 || ::dup2(file, descriptor) < 0) return node_fault("'" + path + "'", errno);
    if (file != descriptor) ::close(file);
  }
  return std::nullopt;
}

Failure bind(const ExecOptions& options) {
  if (!options.cpus.empty()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const auto cpu : options.cpus) {
      if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
    }
    if (::sched_setaffinity(0, sizeof set, &set) != 0) return node_fault("binding to its CPUs", errno);
  }
  if (!options.numa_node) return std::nullopt;
  constexpr std::size_t kBits = sizeof(unsigned long) * 8;
  std::vector<unsigned long> mask(*options.numa_node / kBits + 1, 0);
  mask.back() = 1ul << (*options.numa_node % kBits);
  if (::syscall(SYS_set_mempolicy, MPOL_BIND, mask.data(), mask.size() * kBits + 1) == 0) return std::nullopt;
  if (errno == ENOSYS && *options.numa_node == 0) return std::nullopt;  // a kernel without NUMA has node 0 only
  return node_fault("binding to its NUMA node", errno);
}

// What a launcher does to all that it starts, such as ignoring SIGPIPE, is not the command's.
void reset_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// A limit that may not be raised stays as it is.
void set_limits(const TaskSpecFile& spec) {
  for (const auto& [resource, limit] : spec.limits) {
    ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
  }
}

Failure become(const ExecOptions& options) {
  if (options.niceness != 0) {
    errno = 0;
    if (::nice(options.niceness) == -1 && errno != 0) return node_fault("setting its niceness", errno);
  }
  if (options.user) {
    const auto& user = *options.user;
    const std::vector<gid_t> groups(user.groups.begin(), user.groups.end());
    if (::setgroups(groups.size(), groups.data()) != 0 || ::setresgid(user.gid, user.gid, user.gid) != 0 ||
        ::setresuid(user.uid, user.uid, user.uid) != 0) {
      return node_fault("becoming user " + std::to_string(user.uid), errno);
    }
  }
  if (options.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return node_fault("giving up new privileges", errno);
  }
  return std::nullopt;
}

Failure enter_directory(const std::string& directory) {
  if (directory.empty() || ::chdir(directory.c_str()) == 0) return std::nullopt;
  const int error = errno;
  std::string message = "working directory '" + directory + "': " + std::strerror(error);
  return ExecFailure{is_lack(error) ? error : EACCES, std::move(message)};
}

bool is_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::string quoted(const std::string& word) { return "'" + word.substr(0, 256) + "'"; }

// The path of a command; empty where there is none, or none that can be used, with the failure to tell.
std::string find_program(const std::string& word, std::string_view path, ExecFailure& failure) {
  if (word.find('/') != std::string::npos) return word;
  failure = {ENOENT, quoted(word) + ": command not found on PATH"};
  while (true) {
    const auto end = std::min(path.find(':'), path.size());
    std::string candidate = end == 0 ? word : std::string(path.substr(0, end)) + "/" + word;
    if (is_file(candidate)) {
      if (::faccessat(AT_FDCWD, candidate.c_str(), X_OK, AT_EACCESS) == 0) return candidate;
      if (failure.error == ENOENT) failure = {EACCES, quoted(word) + ": '" + candidate + "' is not executable"};
    }
    if (end == path.size()) return {};
    path.remove_prefix(end + 1);
  }
}

ExecFailure execute_failure(const std::string& word, const std::string& program, int error) {
  const bool is_missing = error == ENOENT || error == ENOTDIR;
  if (is_missing && is_file(program)) return {EACCES, quoted(word) + ": its interpreter was not found"};
  if (is_missing) return {ENOENT, quoted(word) + ": command not found"};
  if (error == ENOEXEC) {
    return {EACCES, quoted(word) + ": not a program, and no '#!' line says what should read it"};
  }
  if (is_lack(error)) return {error, "'" + word + "': " + std::strerror(error)};
  return {EACCES, quoted(word) + ": cannot be executed: " + std::strerror(error)};
}

std::string_view path_in(char* const* environment) {
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (entry.starts_with("PATH=")) return entry.substr(5);
  }
  return kDefaultPath;
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Executes the command, or tells why not.
ExecFailure execute(const Argv& command, const std::vector<std::string>* environment, StartReport& report) {
  std::vector<char*> own;
  if (environment != nullptr) own = pointers_to(*environment);
  char* const* const variables = environment != nullptr ? own.data() : ::environ;
  ExecFailure failure;
  const std::string program = find_program(command.front(), path_in(variables), failure);
  if (program.empty()) return failure;
  auto argv = pointers_to(command);
  report.tell_cgroup();
  ::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
  ::execve(program.c_str(), argv.data(), variables);
  return execute_failure(command.front(), program, errno);
}

Failure open_report(const ExecOptions& options, StartReport& report) {
  if (options.report_fd >= 0) report.take(options.report_fd);
  if (options.report_file.empty()) return std::nullopt;
  const auto opened = report.open(options.report_file);
  return opened ? std::nullopt : Failure(ExecFailure{EIO, opened.error().message});
}

// What is done before a process of its own is split off, with all privileges.
Failure prepare(const ExecOptions& options) {
  for (const auto& [path, descriptor] : {std::pair(&options.stdout_file, 1), std::pair(&options.stderr_file, 2)}) {
    if (auto failed = append_to(*path, descriptor)) return failed;
  }
  if (auto failed = share_outputs(options.outputs_of)) return failed;
  if (options.private_network) {
    if (auto failed = enter_private_network()) return failed;
  }
  return bind(options);
}

ExecFailure go_on(const ExecOptions& options, const std::optional<TaskSpecFile>& spec, StartReport& report) {
  reset_signals();
  ::umask(022);
  if (spec) set_limits(*spec);
  if (const auto failed = become(options)) return *failed;
  if (spec) {
    if (const auto failed = enter_directory(spec->directory)) return *failed;
  }
  return execute(options.command, spec ? &spec->environment : nullptr, report);
}

[[noreturn]] void end_outside(const ExecOptions& options, int wait_status) {
  // Where it cannot be kept, the manager's own record remains.
  if (!options.account_file.empty()) (void)write_account(options.account_file, take_account(wait_status));
  end_as(wait_status);
}

ExecFailure run(const ExecOptions& options, StartReport& report) {
  if (const auto failed = open_report(options, report)) return *failed;
  std::optional<TaskSpecFile> spec;
  if (!options.spec_file.empty()) {
    auto read = read_spec_file(options.spec_file);
    if (!read) return {EIO, read.error().message};
    spec = std::move(*read);
  }
  if (const auto failed = prepare(options)) return *failed;
  if (options.private_pid || !options.account_file.empty()) {
    const auto split_off = split(options.private_pid, report);
    if (split_off.side == Side::outside) end_outside(options, split_off.wait_status);
    if (split_off.side == Side::failed) return split_off.failure;
  }
  return go_on(options, spec, report);
}

}  // namespace

int run_exec_shim(const Argv& words) {
  StartReport report;
  const auto options = parse_exec_options(words);
  if (!options) {
    report.tell_failure({EINVAL, options.error().message});
    return kWrongWords;
  }
  const ExecFailure failure = run(*options, report);
  report.tell_failure(failure);
  return exit_code_of(failure);
}

}  // namespace hakuriver::launch
