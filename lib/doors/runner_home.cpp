#include "doors/runner_home.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "platform/random.hpp"
#include "platform/text_lines.hpp"

namespace hakuriver::doors {
namespace {

constexpr std::size_t kMaxSmallFile = 4096;

bool is_runner_id(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<std::string> read_runner_id(const std::string& path) {
  const auto text = platform::read_file(path, kMaxSmallFile);
  if (text) {
    const std::string id(platform::trim(*text));
    if (is_runner_id(id)) return id;
    return Error{Errc::parse, "'" + path + "' is damaged: expected 32 hex digits; remove it to be a new runner"};
  }
  if (text.error().code != Errc::not_found) return text.error();
  auto fresh = platform::random_hex(16);
  if (!fresh) return fresh.error();
  if (const auto written = platform::write_file_atomically(path, *fresh + "\n", 0600); !written) {
    return written.error();
  }
  return fresh;
}

Result<platform::FileLock> lock_home(const std::string& directory, const std::string& name) {
  const std::string holder_path = directory + "/runner.pid";
  auto lock = platform::lock_file(directory + "/runner.lock");
  if (!lock && lock.error().code == Errc::conflict) {
    const auto holder = platform::read_file(holder_path, kMaxSmallFile);
    const std::string who = holder ? " (process " + std::string(platform::trim(*holder)) + ")" : "";
    return Error{Errc::conflict, "runner '" + name + "' runs on this machine already" + who + "; its state is in '" +
                                     directory + "': stop it, or choose another --name"};
  }
  if (!lock) return lock;
  const auto written = platform::write_file_atomically(holder_path, std::to_string(::getpid()) + "\n", 0600);
  if (!written) return written.error();
  return lock;
}

}  // namespace

Result<RunnerHome> open_runner_home(const std::string& state_dir, const std::string& name) {
  const auto network = platform::is_network_filesystem(state_dir);
  if (!network) return Error{network.error().code, "state_dir '" + state_dir + "': " + network.error().message};
  if (*network) {
    return Error{Errc::invalid_argument,
                 "state_dir '" + state_dir + "' is on a network file system: put it on a local disk of this machine"};
  }
  const std::string directory = state_dir + "/runner-" + name;
  if (const auto made = platform::create_private_directory(directory); !made) {
    return Error{made.error().code, "state_dir: " + made.error().message};
  }
  if (::chmod(directory.c_str(), 0700) != 0) {
    return Error{Errc::denied, "state_dir: '" + directory + "': " + std::generic_category().message(errno)};
  }
  auto lock = lock_home(directory, name);
  if (!lock) return lock.error();
  auto id = read_runner_id(directory + "/runner_id");
  if (!id) return id.error();
  return RunnerHome{directory, std::move(*id), std::move(*lock)};
}

Status write_marker(const std::string& shared_dir, const std::string& runner_id, const std::string& name) {
  const std::string directory = shared_dir + "/.hakuriver";
  // Runners of other users leave theirs here as well.
  if (::mkdir(directory.c_str(), 0777) == 0) {
    ::chmod(directory.c_str(), 01777);
  } else if (errno != EEXIST) {
    return Error{Errc::io, "cannot create '" + directory + "': " + std::generic_category().message(errno)};
  }
  return platform::write_file_atomically(directory + "/" + runner_id, name + "\n", 0644);
}

}  // namespace hakuriver::doors
