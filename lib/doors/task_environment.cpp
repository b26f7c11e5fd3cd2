#include "doors/task_environment.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace hakuriver::doors {
namespace {

struct User {
  std::string name = std::to_string(::geteuid());
  std::string home = "/";
  std::string shell = "/bin/sh";
};

User own_user() {
  User user;
  std::array<char, 16384> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return user;
  user.name = found->pw_name;
  user.home = found->pw_dir;
  if (*found->pw_shell != '\0') user.shell = found->pw_shell;
  return user;
}

std::string own_variable(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

bool is_of_language(std::string_view entry) { return entry.starts_with("LANG=") || entry.starts_with("LC_"); }

}  // namespace

std::vector<std::pair<std::string, std::string>> task_environment(const std::string& program_directory) {
  const User user = own_user();
  std::vector<std::pair<std::string, std::string>> variables{
      {"PATH", program_directory + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"HOME", own_variable("HOME", user.home)},
      {"USER", own_variable("USER", user.name)},
      {"LOGNAME", own_variable("LOGNAME", user.name)},
      {"SHELL", own_variable("SHELL", user.shell)},
  };
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (!is_of_language(text) || equals == std::string_view::npos) continue;
    variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

std::string own_user_name() { return own_user().name; }

}  // namespace hakuriver::doors
