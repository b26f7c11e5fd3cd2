#include "doors/numa_binding.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "engine/program_path.hpp"
#include "engine/spawn.hpp"
#include "hakuriver/numactl.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::doors {
namespace {

constexpr int kPatienceMs = 5000;

// Waits for the end of a process; true where it exited with 0. One that takes too long is killed.
bool ends_well(const engine::Spawned& process) {
  pollfd ended{process.pidfd.get(), POLLIN, 0};
  if (::poll(&ended, 1, kPatienceMs) <= 0) ::kill(process.pid, SIGKILL);
  int status = -1;
  pid_t waited = -1;
  do {
    waited = ::waitpid(process.pid, &status, 0);
  } while (waited < 0 && errno == EINTR);
  return waited == process.pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool can_bind(const std::string& numactl, std::uint32_t numa_node) {
  Argv words = build_numactl({"/bin/true"}, numa_node, numactl);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const platform::Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  sigset_t mask;
  rlimit files{};
  ::sigemptyset(&mask);
  if (!null.is_open() || ::getrlimit(RLIMIT_NOFILE, &files) != 0) return false;
  engine::SpawnRequest request;
  request.path = numactl.c_str();
  request.argv = argv.data();
  request.environment = ::environ;
  request.stdin_fd = request.stdout_fd = request.stderr_fd = null.get();
  engine::Spawner spawner(mask, files);
  const auto process = spawner.spawn(request);
  return process.pid > 0 && ends_well(process);
}

std::string path_of(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  return engine::find_program(name, path != nullptr ? path : "/usr/bin:/bin").value_or("");
}

}  // namespace

Result<std::string> find_numactl(const std::optional<std::string>& configured, std::uint32_t numa_node) {
  if (configured && configured->empty()) return std::string();
  const std::string path = path_of(configured.value_or("numactl"));
  if (!path.empty() && can_bind(path, numa_node)) return path;
  if (!configured) return std::string();
  return Error{Errc::invalid_argument,
               "numactl_path '" + *configured + "' cannot bind a program to NUMA node " + std::to_string(numa_node)};
}

}  // namespace hakuriver::doors
