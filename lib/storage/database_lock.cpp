#include "storage/database_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace hakuriver::storage {
namespace {

Error cannot_open(const std::string& path, const std::string& database, int number) {
  if (number == ENOENT) {
    const auto slash = database.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : database.substr(0, slash);
    return {Errc::not_found, "database '" + database + "': there is no directory '" + directory + "'"};
  }
  return {Errc::io,
          "database '" + database + "': cannot open '" + path + "': " + std::generic_category().message(number)};
}

std::string holder_of(int descriptor) {
  std::array<char, 16> digits{};
  const ssize_t length = ::pread(descriptor, digits.data(), digits.size() - 1, 0);
  const std::string pid(digits.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  const bool known = !pid.empty() && pid.find_first_not_of("0123456789\n") == std::string::npos;
  return known ? "process " + pid.substr(0, pid.find('\n')) : "another process";
}

}  // namespace

Result<DatabaseLock> DatabaseLock::take(const std::string& database) {
  const std::string path = database + ".lock";
  DatabaseLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.descriptor_ < 0) return cannot_open(path, database, errno);
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return Error{Errc::io, "cannot lock '" + path + "': " + std::generic_category().message(errno)};
    }
    return Error{Errc::conflict, "database '" + database + "' is in use by " + holder_of(lock.descriptor_) +
                                     ": expected one host for a database"};
  }
  // For the next one's message only: whether it could be written changes nothing.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.descriptor_, 0) == 0 && ::pwrite(lock.descriptor_, pid.data(), pid.size(), 0) < 0) return lock;
  return lock;
}

// The file stays: a lock on a removed file protects nothing.
DatabaseLock::~DatabaseLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status create_database_file(const std::string& path) {
  // An existing file is not even opened: closing it would drop the locks of this process's other connections to it.
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0 && errno != EEXIST) return cannot_open(path, path, errno);
  if (descriptor >= 0) ::close(descriptor);
  return Unit{};
}

}  // namespace hakuriver::storage
