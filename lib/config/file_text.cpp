#include "config/file_text.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace hakuriver::config {

Error file_error(const std::string& what, int number) {
  Errc code = Errc::io;
  if (number == ENOENT || number == ENOTDIR) code = Errc::not_found;
  if (number == EACCES || number == EPERM) code = Errc::denied;
  return Error{code, what + ": " + std::generic_category().message(number)};
}

Result<std::string> read_rest(int file, const std::string& path, std::size_t most) {
  std::string text;
  char block[16384];
  while (true) {
    const ssize_t got = ::read(file, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("cannot read '" + path + "'", errno);
    if (got == 0) return text;
    if (static_cast<std::size_t>(got) > most - text.size()) {
      return Error{Errc::limit, "'" + path + "' has more than " + std::to_string(most) + " bytes"};
    }
    text.append(block, static_cast<std::size_t>(got));
  }
}

Result<std::string> read_text(const std::string& path, std::size_t most) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return file_error("cannot open '" + path + "'", errno);
  auto text = read_rest(file, path, most);
  ::close(file);
  return text;
}

}  // namespace hakuriver::config
