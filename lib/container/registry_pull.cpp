#include "container/registry_pull.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "container/messages.hpp"
#include "hakuriver/environment.hpp"

namespace hakuriver::container {
namespace {

std::string own_name() {
  std::array<char, 4096> buffer;
  passwd entry{};
  passwd* found = nullptr;
  const bool is_known =
      ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  return is_known ? "'" + std::string(found->pw_name) + "'" : std::to_string(::geteuid());
}

Error without_login(const std::string& reference, const ImageSource& source, const Error& told,
                    std::string_view besides = {}) {
  const std::string registry(registry_of(reference));
  const std::string login = source.login_client.ends_with("podman") ? "podman login" : "docker login";
  return {told.code, told.message + ": user " + own_name() + " must `" + login + (registry.empty() ? "" : " ") +
                         registry + "` on this node" + std::string(besides)};
}

}  // namespace

Status pull_image(Engine& engine, const std::string& reference, const ImageSource& source) {
  const auto pulled = engine.pull(reference);
  if (pulled || !wants_login(pulled.error().message)) return pulled;
  const bool was_client = source.socket.empty();
  if (was_client) return without_login(reference, source, pulled.error());
  constexpr std::string_view kNoClient = ", and its runner find docker or podman on the PATH";
  if (source.login_client.empty()) return without_login(reference, source, pulled.error(), kNoClient);
  const auto client = open_command_engine({source.login_client, {}, "unix://" + source.socket}, source.locks);
  const auto again = client->pull(reference);
  if (again || !wants_login(again.error().message)) return again;
  return without_login(reference, source, again.error());
}

}  // namespace hakuriver::container
