#include "platform/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "platform/random.hpp"
#include "platform/system_error.hpp"

namespace hakuriver::platform {
namespace {

std::string quoted(const std::string& path) { return "'" + path + "'"; }

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<Descriptor> open_file(const std::string& path, int flags, mode_t mode = 0) {
  int number = -1;
  do {
    number = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (number < 0 && errno == EINTR);
  if (number < 0) return system_error("cannot open " + quoted(path), errno);
  return Descriptor(number);
}

Status write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("cannot write " + quoted(path), errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return Unit{};
}

Status write_new_file(const std::string& path, std::string_view contents, mode_t mode) {
  const auto file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!file) return file.error();
  if (const auto written = write_all(file->get(), contents, path); !written) return written.error();
  if (::fchmod(file->get(), mode) != 0) return system_error("cannot set the mode of " + quoted(path), errno);
  if (::fsync(file->get()) != 0) return system_error("cannot sync " + quoted(path), errno);
  return Unit{};
}

// A rename is on disk only when the directory is.
Status sync_directory(const std::string& path) {
  const auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!directory) return directory.error();
  if (::fsync(directory->get()) != 0) return system_error("cannot sync " + quoted(path), errno);
  return Unit{};
}

Result<std::string> unused_name_in(const std::string& directory) {
  const auto random = random_hex(8);
  if (!random) return random.error();
  return directory + "/.hakuriver-" + *random + ".tmp";
}

bool is_directory(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

}  // namespace

Result<Descriptor> open_regular_file(const std::string& path) {
  auto file = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return file;
  struct stat facts {};
  if (::fstat(file->get(), &facts) != 0) return system_error("cannot open " + quoted(path), errno);
  if (!S_ISREG(facts.st_mode)) return Error{Errc::io, quoted(path) + " is not a regular file"};
  return file;
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
  const auto file = open_regular_file(path);
  if (!file) return file.error();
  std::string contents;
  char block[16384];
  while (true) {
    const ssize_t got = ::read(file->get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("cannot read " + quoted(path), errno);
    if (got == 0) return contents;
    if (static_cast<std::size_t>(got) > most - contents.size()) {
      return Error{Errc::limit, quoted(path) + " has more than " + std::to_string(most) + " bytes"};
    }
    contents.append(block, static_cast<std::size_t>(got));
  }
}

Status write_file_atomically(const std::string& path, std::string_view contents, mode_t mode) {
  const std::string directory = parent_of(path);
  const auto temporary = unused_name_in(directory);
  if (!temporary) return temporary.error();
  if (const auto written = write_new_file(*temporary, contents, mode); !written) {
    ::unlink(temporary->c_str());
    return written.error();
  }
  if (std::rename(temporary->c_str(), path.c_str()) != 0) {
    const int number = errno;
    ::unlink(temporary->c_str());
    return system_error("cannot replace " + quoted(path), number);
  }
  return sync_directory(directory);
}

Status create_private_directory(const std::string& path) {
  if (path.empty()) return Error{Errc::invalid_argument, "the name of a directory is empty"};
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && !is_directory(part)) {
      return system_error("cannot create the directory " + quoted(part), errno);
    }
    if (slash == std::string::npos) return Unit{};
  }
}

Status check_writable_directory(const std::string& path) {
  const auto probe = unused_name_in(path);
  if (!probe) return probe.error();
  const auto written = write_new_file(*probe, "x", 0600);
  ::unlink(probe->c_str());
  if (!written) {
    return Error{written.error().code,
                 "the directory " + quoted(path) + " is not writable: " + written.error().message};
  }
  return Unit{};
}

Result<FileLock> lock_file(const std::string& path) {
  auto file = open_file(path, O_RDWR | O_CREAT, 0600);
  if (!file) return file.error();
  int locked = -1;
  do {
    locked = ::flock(file->get(), LOCK_EX | LOCK_NB);
  } while (locked != 0 && errno == EINTR);
  if (locked == 0) return FileLock(std::move(*file));
  if (errno == EWOULDBLOCK) return Error{Errc::conflict, quoted(path) + " is locked by another program"};
  return system_error("cannot lock " + quoted(path), errno);
}

}  // namespace hakuriver::platform
