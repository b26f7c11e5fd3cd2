#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "container/messages.hpp"

namespace hakuriver::container {
namespace {

bool has_any(std::string_view message, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [message](std::string_view each) { return message.find(each) != std::string_view::npos; });
}

}  // namespace

bool tells_of_lack(std::string_view message) {
  return has_any(message, {"no space left", "cannot allocate memory", "too many open files", "quota exceeded",
                           "read-only file system", "input/output error", "resource temporarily"});
}

bool wants_login(std::string_view message) {
  return has_any(message, {"denied", "unauthorized", "Unauthorized", "authentication required", "no basic auth",
                           "authorization failed", "403 Forbidden", "docker login"});
}

Errc code_of_pull(std::string_view message, Errc otherwise) {
  if (has_any(message, {"manifest unknown", "not found", "does not exist", "repository name not known"})) {
    return Errc::not_found;
  }
  if (wants_login(message)) return Errc::denied;
  return has_any(message, {"invalid reference format"}) ? Errc::invalid_argument : otherwise;
}

}  // namespace hakuriver::container
