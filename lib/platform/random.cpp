#include "platform/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <vector>

#include "platform/system_error.hpp"

namespace hakuriver::platform {
namespace {

Status fill(unsigned char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::getrandom(bytes, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("getrandom", errno);
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
  return Unit{};
}

}  // namespace

Result<std::uint64_t> random_number() {
  unsigned char bytes[8];
  if (const auto filled = fill(bytes, sizeof bytes); !filled) return filled.error();
  std::uint64_t number = 0;
  for (const unsigned char byte : bytes) number = number << 8 | byte;
  return number;
}

Result<std::string> random_hex(std::size_t bytes) {
  if (bytes > 1024) return Error{Errc::limit, "more than 1024 random bytes asked for"};
  std::vector<unsigned char> random(bytes);
  if (const auto filled = fill(random.data(), random.size()); !filled) return filled.error();
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes);
  for (const unsigned char byte : random) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace hakuriver::platform
