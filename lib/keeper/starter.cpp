#include "keeper/starter.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "keeper/clocks.hpp"
#include "keeper/protocol.hpp"

namespace hakuriver::keeper {
namespace {

constexpr std::string_view kTaskId = "HAKURIVER_TASK_ID=";
constexpr std::string_view kTaskAttempt = "HAKURIVER_TASK_ATTEMPT=";
constexpr std::string_view kDefaultPath = "/bin:/usr/bin";  // as execvp has it where PATH is not set
constexpr const char* kNotOnPath = ": command not found on PATH";
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

StartFailure node_fault(int error, std::string message) {
  return {Outcome{OutcomeKind::never_started, error}, std::move(message)};
}

StartFailure task_fault(int code, std::string message) {
  return {Outcome{OutcomeKind::exited, code}, std::move(message)};
}

// Lack of something on the node, which another attempt may find again.
bool is_node_fault(int error) {
  constexpr int kFaults[] = {ENOMEM, EAGAIN, EMFILE, ENFILE, ENOSPC, EDQUOT, EIO, EROFS, EINTR, ENOSYS, ESTALE};
  return std::find(std::begin(kFaults), std::end(kFaults), error) != std::end(kFaults);
}

std::string quoted(const std::string& word) { return "'" + word.substr(0, 256) + "'"; }

bool is_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::string_view path_variable(const std::vector<std::string>& environment) {
  for (const auto& entry : environment) {
    if (entry.starts_with("PATH=")) return std::string_view(entry).substr(5);
  }
  return kDefaultPath;
}

// What a word without a slash may mean, in the order of the PATH.
std::vector<std::string> candidates(const std::string& word, const std::vector<std::string>& environment,
                                    const std::string& directory) {
  std::vector<std::string> paths;
  for (std::string_view rest = path_variable(environment);;) {
    const auto end = std::min(rest.find(':'), rest.size());
    std::string path(rest.substr(0, end));
    if (path.empty() || path.front() != '/') path = directory + "/" + path;
    paths.push_back(path + "/" + word);
    if (end == rest.size()) return paths;
    rest.remove_prefix(end + 1);
  }
}

bool any_file(const StartRequest& request) {
  const auto paths = candidates(request.argv.front(), request.environment, request.working_directory);
  return std::any_of(paths.begin(), paths.end(), is_file);
}

// Whether the keeper is this user already, and needs no right to become it.
bool is_self(const TaskUser& user) {
  std::vector<gid_t> own(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  if (!own.empty() && ::getgroups(static_cast<int>(own.size()), own.data()) < 0) return false;
  const std::set<std::uint32_t> wanted(user.groups.begin(), user.groups.end());
  return user.uid == ::geteuid() && user.gid == ::getegid() &&
         wanted == std::set<std::uint32_t>(own.begin(), own.end());
}

StartFailure execute_failure(const StartRequest& request, int error) {
  const std::string word = quoted(request.argv.front());
  const std::string& given = request.argv.front();
  const bool is_searched = given.find('/') == std::string::npos;
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      // Who may search the PATH found none; whether there is one at all is another question.
      if (request.user && is_searched && !any_file(request)) return task_fault(kNotFound, word + kNotOnPath);
      if (is_file(given.front() == '/' ? given : request.working_directory + "/" + given) || is_searched) {
        return task_fault(kNotExecutable, word + ": its interpreter was not found");
      }
      return task_fault(kNotFound, word + ": command not found");
    case ENOEXEC:
      return task_fault(kNotExecutable, word + ": not a program, and no '#!' line says what should read it");
    case EACCES:
      if (!request.user) break;
      return task_fault(kNotExecutable, word + ": user " + std::to_string(request.user->uid) + " may not execute it");
    default:
      break;
  }
  if (is_node_fault(error)) return node_fault(error, describe_errno(given, error));
  return task_fault(kNotExecutable, word + ": cannot be executed: " + std::strerror(error));
}

StartFailure spawn_failure(const StartRequest& request, const SpawnFailure& failure) {
  const int error = failure.error;
  switch (failure.step) {
    case SpawnStep::execute:
      if (error == ENOMEM && request.memory_bytes != 0 && request.cgroup.limits_memory) {
        return {{OutcomeKind::oom_killed, SIGKILL},
                "out of memory at the limit of " + std::to_string(memory_limit_of(request.memory_bytes)) + " bytes"};
      }
      return execute_failure(request, error);
    case SpawnStep::directory: {
      auto message = "working directory " + describe_errno(request.working_directory, error);
      return is_node_fault(error) ? node_fault(error, std::move(message))
                                  : task_fault(kNotExecutable, std::move(message));
    }
    case SpawnStep::cgroup:
      return node_fault(error, std::string("entering its cgroup: ") + std::strerror(error));
    case SpawnStep::cpus:
      return node_fault(error, std::string("binding to its CPUs: ") + std::strerror(error));
    case SpawnStep::memory:
      return node_fault(error, std::string("binding to its NUMA node: ") + std::strerror(error));
    case SpawnStep::user:
      return node_fault(error, "becoming user " + std::to_string(request.user ? request.user->uid : 0) + " of group " +
                                   std::to_string(request.user ? request.user->gid : 0) + ": " + std::strerror(error));
    case SpawnStep::privileges:
      return node_fault(error, std::string("giving up new privileges: ") + std::strerror(error));
    case SpawnStep::niceness:
      return node_fault(error, std::string("setting its niceness: ") + std::strerror(error));
    case SpawnStep::clone:
    case SpawnStep::session:
    case SpawnStep::descriptors:
    case SpawnStep::limits:
      break;
  }
  return node_fault(error, std::string("starting a process: ") + std::strerror(error));
}

// Pointers into strings that the caller keeps, with the null pointer that execve wants at the end.
std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 3);
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  return pointers;
}

// Nothing, and errno, where that fails; then there is no file either.
Descriptor create_output(const std::string& path, const std::optional<TaskUser>& user) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!file || !user || ::fchown(file.get(), user->uid, user->gid) == 0) return file;
  const int error = errno;
  ::unlink(path.c_str());
  errno = error;
  return Descriptor();
}

// The one path that the first word means to the keeper's own user.
std::optional<StartFailure> look_up(const StartRequest& request, std::string& program) {
  const auto word = quoted(request.argv.front());
  std::string unusable;
  program = find_program(request.argv.front(), request.environment, request.working_directory, unusable);
  if (!program.empty()) return std::nullopt;
  if (unusable.empty()) return task_fault(kNotFound, word + kNotOnPath);
  return task_fault(kNotExecutable, word + ": '" + unusable + "' is not executable");
}

}  // namespace

std::string find_program(const std::string& word, const std::vector<std::string>& environment,
                         const std::string& directory, std::string& found_unusable) {
  if (word.find('/') != std::string::npos) return word;
  for (auto& path : candidates(word, environment, directory)) {
    if (!is_file(path)) continue;
    if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) return std::move(path);
    if (found_unusable.empty()) found_unusable = path;
  }
  return {};
}

std::optional<StartFailure> Starter::launch(const StartRequest& request, SpawnPlan plan, Spawned& spawned) {
  const auto& first = request.argv.front();
  std::vector<std::string> paths;  // of which that user may execute one
  std::string program = first;
  if (request.user && first.find('/') == std::string::npos) {
    paths = candidates(first, request.environment, request.working_directory);
  } else {
    auto failure = look_up(request, program);
    if (failure) return failure;
  }
  auto programs = pointers_to(paths);
  programs.push_back(nullptr);
  if (!paths.empty()) plan.programs = programs.data();
  // By these two the keeper knows a process that has left its family; nobody can set them otherwise.
  std::string task_id = std::string(kTaskId) + to_string(request.key.task);
  std::string attempt = std::string(kTaskAttempt) + std::to_string(request.key.attempt.value);
  auto argv = pointers_to(request.argv);
  argv.push_back(nullptr);
  auto environment = pointers_to(request.environment);
  std::erase_if(environment, [](const char* entry) {
    return std::string_view(entry).starts_with(kTaskId) || std::string_view(entry).starts_with(kTaskAttempt);
  });
  environment.insert(environment.end(), {task_id.data(), attempt.data(), nullptr});
  plan.program = program.c_str();
  plan.argv = argv.data();
  plan.environment = environment.data();
  plan.directory = request.working_directory.c_str();
  plan.open_files = &open_files_;
  plan.cpu_mask = mask_of(request.cpus);
  if (request.user && !is_self(*request.user)) plan.user = &*request.user;
  plan.no_new_privileges = request.no_new_privileges;
  plan.niceness = request.niceness;
  if (request.numa_node && !request.cpus.empty()) plan.node_mask = mask_of({*request.numa_node});
  const auto failure = spawner_.spawn(plan, spawned);
  if (failure) return spawn_failure(request, *failure);
  return std::nullopt;
}

Outcome outcome_of_start_error(int error) {
  if (is_node_fault(error)) return {OutcomeKind::never_started, error};
  return {OutcomeKind::exited, error == ENOENT ? kNotFound : kNotExecutable};
}

std::optional<StartFailure> Starter::start(const StartRequest& request, const Cgroup& cgroup, int report,
                                           Spawned& spawned) {
  const auto entrances = cgroup.entrances();
  const auto birthplace = cgroup.birthplace();
  if (cgroup && entrances.empty())
    return node_fault(errno, std::string("entering its cgroup: ") + std::strerror(errno));
  const Descriptor output = create_output(request.stdout_path, request.user);
  if (!output) return node_fault(errno, describe_errno(request.stdout_path, errno));
  const bool shared = request.stderr_path == request.stdout_path;
  const Descriptor error = shared ? Descriptor() : create_output(request.stderr_path, request.user);
  if (!shared && !error) {
    const int failed = errno;
    ::unlink(request.stdout_path.c_str());
    return node_fault(failed, describe_errno(request.stderr_path, failed));
  }
  if (!request.refusal.empty()) return task_fault(kNotExecutable, request.refusal);
  SpawnPlan plan;
  plan.extra = report;
  plan.output = output.get();
  plan.error = shared ? output.get() : error.get();
  for (const auto& entrance : entrances) plan.cgroups.push_back(entrance.get());
  plan.birthplace = birthplace.get();
  auto failure = launch(request, std::move(plan), spawned);
  if (failure && failure->outcome.kind == OutcomeKind::never_started) {
    ::unlink(request.stdout_path.c_str());
    if (!shared) ::unlink(request.stderr_path.c_str());
  }
  return failure;
}

}  // namespace hakuriver::keeper
