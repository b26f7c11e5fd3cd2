#include "systemd/run.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <string_view>
#include <utility>

#include "hakuriver/systemd_run.hpp"
#include "launch/spec_file.hpp"
#include "launch/start_report.hpp"
#include "systemd/client.hpp"
#include "systemd/command_line.hpp"
#include "systemd/manager_bus.hpp"
#include "systemd/unit.hpp"

namespace hakuriver::systemd {
namespace {

constexpr int kReport = 3;
constexpr int kNodeFault = 125;

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

int fail(const std::string& message) {
  launch::StartReport report;
  if (::fcntl(kReport, F_GETFD) >= 0) report.take(kReport);
  report.tell_failure({EIO, message});
  return kNodeFault;
}

int execute(const Argv& argv, const std::vector<std::string>& environment) {
  ::execve(argv.front().c_str(), pointers_to(argv).data(), pointers_to(environment).data());
  return fail("'" + argv.front() + "': " + std::strerror(errno));
}

launch::ExecOptions task_in_place(const Options& options) {
  launch::ExecOptions task = options.task;
  task.report_fd = kReport;
  return task;
}

// Programs that run in between get an environment of their own; the task's goes around them.
Status pass_around(const Options& options, std::vector<std::string> environment, launch::ExecOptions& task) {
  task.spec_file = options.file(".spec");
  ::unlink(task.spec_file.c_str());
  return launch::write_spec_file(task.spec_file, {options.working_directory, {}, std::move(environment)});
}

// A keeper that was not told the number of a process before it died knows it by these.
std::vector<std::string> environment_in_between(const Options& options, const std::vector<std::string>& task) {
  auto environment = program_environment(options);
  for (const auto& entry : task) {
    if (entry.starts_with("HAKURIVER_TASK_ID=") || entry.starts_with("HAKURIVER_TASK_ATTEMPT=")) {
      environment.push_back(entry);
    }
  }
  return environment;
}

int execute_systemd_run(const Options& options, std::vector<std::string> environment) {
  launch::ExecOptions task = task_in_place(options);
  const auto own = environment_in_between(options, environment);
  if (const auto kept = pass_around(options, std::move(environment), task); !kept) return fail(kept.error().message);
  return execute(build_command_line(options, task), own);
}

int execute_shim(const Options& options, std::vector<std::string> environment) {
  launch::ExecOptions task = task_in_place(options);
  // Before it has become another user it must not load what that user names.
  if (task.user) {
    auto own = environment_in_between(options, environment);
    if (const auto kept = pass_around(options, std::move(environment), task); !kept) return fail(kept.error().message);
    environment = std::move(own);
  }
  Argv argv{options.exec};
  const Argv words = launch::build_exec_words(task);
  argv.insert(argv.end(), words.begin(), words.end());
  return execute(argv, environment);
}

int run_scope_in_place(const Options& options) {
  if (!options.task.account_file.empty()) ::unlink(options.task.account_file.c_str());  // of an earlier attempt
  auto environment = task_environment(::environ);
  if (options.no_bus) return execute_systemd_run(options, std::move(environment));
  const auto entered = enter_scope(options);
  if (!entered && entered.error().code == Errc::unavailable) {
    return execute_systemd_run(options, std::move(environment));
  }
  if (!entered) return fail(entered.error().message);
  return execute_shim(options, std::move(environment));
}

}  // namespace

std::vector<std::string> task_environment(char* const* environment) {
  std::vector<std::string> variables;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (entry.starts_with("@HAKURIVER_TASK_ID=") || entry.starts_with("@HAKURIVER_TASK_ATTEMPT=")) continue;
    if (entry.starts_with("HAKURIVER_TASK_ID=") || entry.starts_with("HAKURIVER_TASK_ATTEMPT=")) {
      variables.emplace_back(entry);
    } else if (entry.starts_with('@')) {
      variables.emplace_back(entry.substr(1));
    }
  }
  return variables;
}

int run(const Options& options) {
  if (const auto& user = options.task.user) {
    for (const int output : {1, 2}) {
      if (::fchown(output, user->uid, user->gid) != 0 && options.sudo.empty()) {
        return fail(std::string("giving its output away: ") + std::strerror(errno));
      }
    }
  }
  if (options.is_scope() && options.sudo.empty()) return run_scope_in_place(options);
  const auto failed = run_as_client(options, task_environment(::environ), kReport);
  return fail(failed.message);
}

}  // namespace hakuriver::systemd
