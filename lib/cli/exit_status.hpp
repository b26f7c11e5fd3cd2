// What our programs' exit statuses mean, the same for all of them.
#pragma once

#include "hakuriver/result.hpp"

namespace hakuriver::cli {

inline constexpr int kExitGood = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitNotAllowed = 4;
inline constexpr int kExitUnreachable = 5;
inline constexpr int kExitTimedOut = 124;

// 130 for SIGINT.
constexpr int exit_of_signal(int number) noexcept { return 128 + number; }

constexpr int exit_of(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
    case Errc::parse:
    case Errc::limit:
      return kExitUsage;
    case Errc::not_found:
      return kExitNotFound;
    case Errc::conflict:
    case Errc::denied:
      return kExitNotAllowed;
    case Errc::unavailable:
      return kExitUnreachable;
    case Errc::io:
    case Errc::internal:
      return kExitFailed;
  }
  return kExitFailed;
}

// Why a program of ours failed, as far as its exit status tells: exit_of() of it is that status again.
constexpr Errc code_of_exit(int status) noexcept {
  switch (status) {
    case kExitUsage:
      return Errc::invalid_argument;
    case kExitNotFound:
      return Errc::not_found;
    case kExitNotAllowed:
      return Errc::denied;
    case kExitUnreachable:
      return Errc::unavailable;
    default:
      return Errc::io;
  }
}

// Of a reply that is no success.
constexpr int exit_of_http(int status) noexcept {
  switch (status) {
    case 404:
      return kExitNotFound;
    case 401:
    case 403:
    case 409:
      return kExitNotAllowed;
    case 400:
    case 413:
    case 422:
      return kExitUsage;
    case 502:
    case 503:
    case 504:
      return kExitUnreachable;
    default:
      return kExitFailed;
  }
}

}  // namespace hakuriver::cli
