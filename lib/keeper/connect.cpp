#include "keeper/connect.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "keeper/clocks.hpp"
#include "keeper/spawn.hpp"

namespace hakuriver::keeper {
namespace {

constexpr int kReadyDescriptor = 3;

// The words on the ready pipe up to its end.
std::string read_until_closed(int descriptor, MonotonicTime until) {
  std::string words;
  while (words.size() < 4096) {
    pollfd ready{descriptor, POLLIN, 0};
    const auto left = (until.microseconds - monotonic_now().microseconds) / 1000;
    const int polled = ::poll(&ready, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) break;
    std::array<char, 512> buffer;
    const auto count = ::read(descriptor, buffer.data(), buffer.size());
    if (count <= 0) break;
    words.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return words;
}

}  // namespace

Result<Descriptor> connect_to_keeper(const std::string& state_directory) {
  const auto failed = [&](int error) {
    const auto code = error == ENOENT || error == ECONNREFUSED ? Errc::not_found : Errc::io;
    return Error{code, describe_errno(state_directory + "/keeper.sock", error)};
  };
  std::string path = state_directory + "/keeper.sock";
  Descriptor directory;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    // A socket's path has a small bound; through /proc the directory's path has none.
    directory = Descriptor(::open(state_directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return failed(errno);
    path = "/proc/self/fd/" + std::to_string(directory.get()) + "/keeper.sock";
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return failed(errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed(errno);
  return socket;
}

Status launch_keeper(const KeeperClientOptions& options) {
  const auto until = monotonic_now() + options.patience;
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return io_error("pipe", errno);
  const Descriptor ready(ends[0]);
  Descriptor said(ends[1]);
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return io_error("/dev/null", errno);
  std::vector<std::string> words{options.keeper_program, options.state_directory,
                                 "--ready-fd=" + std::to_string(kReadyDescriptor)};
  words.insert(words.end(), options.extra_arguments.begin(), options.extra_arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  SpawnPlan plan;
  plan.program = options.keeper_program.c_str();
  plan.argv = argv.data();
  plan.environment = ::environ;
  plan.input = plan.output = plan.error = null.get();
  plan.extra = said.get();
  plan.unblock_signals = false;
  Spawned spawned;
  Spawner spawner;
  const auto failure = spawner.spawn_with_signals_blocked(plan, spawned);  // the keeper lets them through again itself
  if (failure) {
    const auto code = failure->step == SpawnStep::execute ? Errc::not_found : Errc::io;
    return Error{code, "keeper program " + describe_errno(options.keeper_program, failure->error)};
  }
  said.close();
  // It leaves at once; the keeper is its child.
  await_end(spawned.pid);
  const auto words_said = read_until_closed(ready.get(), until);
  if (words_said == "ready\n") return Unit{};
  const auto why = words_said.empty() ? "it said nothing" : words_said.substr(0, words_said.find('\n'));
  return Error{Errc::unavailable, "a keeper in '" + options.state_directory + "' did not start: " + why};
}

}  // namespace hakuriver::keeper
