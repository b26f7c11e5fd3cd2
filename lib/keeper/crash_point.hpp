// Where the keeper of the tests can be made to die: HAKURIVER_KEEPER_CRASH="step:n" in its environment kills it when
// it comes to that step for the n-th time. Nothing in the installed keeper.
#pragma once

#ifdef HAKURIVER_KEEPER_CRASH_POINTS
#include <signal.h>
#include <stdlib.h>

#include <string>
#include <string_view>
#endif

namespace hakuriver::keeper {

#ifdef HAKURIVER_KEEPER_CRASH_POINTS
inline void crash_point(std::string_view step) {
  static long left = -1;
  const char* given = ::getenv("HAKURIVER_KEEPER_CRASH");
  if (given == nullptr) return;
  const std::string_view wish(given);
  const auto colon = wish.find(':');
  if (colon == std::string_view::npos || wish.substr(0, colon) != step) return;
  if (left < 0) left = ::strtol(given + colon + 1, nullptr, 10);
  if (--left == 0) ::raise(SIGKILL);
}
#else
inline void crash_point(const char*) {}
#endif

}  // namespace hakuriver::keeper
