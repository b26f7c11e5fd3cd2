#include "doors/isolation.hpp"

#include <unistd.h>

#include <utility>

#include "doors/runner_setup.hpp"
#include "doors/unit_probe.hpp"
#include "launch/exec_options.hpp"

namespace hakuriver::doors {

Isolation detect_isolation(const RunnerOptions& options) {
  Isolation isolation;
  const bool is_root = ::geteuid() == 0 && (options.runner_user.empty() || options.runner_user == "root");
  const auto keeper = find_keeper(options);
  if (!is_root || !keeper) return isolation;
  isolation.exec = keeper->substr(0, keeper->rfind('/') + 1) + "hakuriver-exec";
  if (::access(isolation.exec.c_str(), X_OK) != 0) return isolation;
  const auto works = [&isolation](const char* option) {
    return first_line_of({isolation.exec, option, "--", "/bin/echo", "works"}) == "works";
  };
  isolation.private_network = works("--private-network");
  isolation.private_pid = works("--private-pid");
  return isolation;
}

StartRequest wrap_in_namespaces(const Isolation& isolation, StartRequest request, const TaskSpec& spec) {
  if (!request.refusal.empty() || (!spec.private_network && !spec.private_pid)) return request;
  if (request.user) {
    request.refusal = kOtherUserNeedsUnits;
    return request;
  }
  launch::ExecOptions options;
  options.report_fd = 3;
  options.private_network = spec.private_network;
  options.private_pid = spec.private_pid;
  options.command = std::move(request.argv);
  request.argv = {isolation.exec};
  const Argv words = launch::build_exec_words(options);
  request.argv.insert(request.argv.end(), words.begin(), words.end());
  request.reports_start = true;
  return request;
}

}  // namespace hakuriver::doors
