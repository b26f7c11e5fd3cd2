// What the operating system refused, as an Error.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

#include "hakuriver/result.hpp"

namespace hakuriver::platform {

constexpr Errc errc_of(int number) noexcept {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::denied;
    default:
      return Errc::io;
  }
}

// "cannot open '/x': No such file or directory"
inline Error system_error(std::string_view what, int number) {
  return Error{errc_of(number), std::string(what) + ": " + std::generic_category().message(number)};
}

}  // namespace hakuriver::platform
