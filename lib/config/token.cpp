#include "config/token.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "config/file_text.hpp"

namespace hakuriver::config {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

bool write_and_sync(int file, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(file, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  return ::fsync(file) == 0;
}

Result<std::string> read_private(int file, const std::string& path) {
  struct stat facts {};
  if (::fstat(file, &facts) != 0) return file_error("cannot ask about '" + path + "'", errno);
  if ((facts.st_mode & 0077) != 0) {
    return Error{Errc::denied, "the token file '" + path + "' is open to other users: expected mode 0600 (chmod 600)"};
  }
  return read_rest(file, path, 4096);
}

std::string trimmed(const std::string& text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

bool is_token(std::string_view text) noexcept {
  return text.size() == 64 && text.find_first_not_of(kDigits) == std::string_view::npos;
}

// Written under another name and linked: who finds the file finds a whole token, also while others make theirs.
Status create_token_file(const std::string& path, std::string_view token) {
  if (!is_token(token)) return Error{Errc::invalid_argument, "a token has 64 hex digits"};
  std::string draft = path + ".XXXXXX";
  const int file = ::mkostemp(draft.data(), O_CLOEXEC);  // mode 0600
  if (file < 0) return file_error("cannot create the token file '" + path + "'", errno);
  const bool made = write_and_sync(file, std::string(token) + "\n") && ::link(draft.c_str(), path.c_str()) == 0;
  const int number = errno;
  ::close(file);
  ::unlink(draft.c_str());
  if (made) return Unit{};
  if (number == EEXIST) return Error{Errc::conflict, "the token file '" + path + "' exists already"};
  return file_error("cannot write the token file '" + path + "'", number);
}

Result<std::string> read_token_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return file_error("cannot open the token file '" + path + "'", errno);
  const auto text = read_private(file, path);
  ::close(file);
  if (!text) return text.error();
  const std::string token = trimmed(*text);
  if (!is_token(token)) return Error{Errc::parse, "the token file '" + path + "' does not hold 64 hex digits"};
  return token;
}

}  // namespace hakuriver::config
