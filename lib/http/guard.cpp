#include "http/guard.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "http/head.hpp"
#include "http/reply_text.hpp"

namespace hakuriver::http {
namespace {

constexpr std::array<std::string_view, 4> kLoopbackNames{"localhost", "localhost.localdomain", "ip6-localhost",
                                                         "ip6-loopback"};

// The time depends on the length of what was given only, not on where it differs.
bool equals_in_constant_time(std::string_view given, std::string_view secret) noexcept {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(secret[i % secret.size()]);
  }
  return difference == 0;
}

std::string_view header_of(const HttpRequest& request, const char* name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string_view() : std::string_view(found->second);
}

HttpReply unauthorized(std::string_view detail) {
  auto reply = detail_reply(401, detail);
  reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

std::optional<HttpReply> refuse_token(const Access& access, const HttpRequest& request) {
  constexpr std::string_view kScheme = "bearer ";
  const auto given = header_of(request, "authorization");
  if (given.empty()) return unauthorized("a bearer token is required");
  if (!equals_ignoring_case(given.substr(0, kScheme.size()), kScheme)) {
    return unauthorized("the Authorization header must be 'Bearer' and a token");
  }
  const auto token = trim_blanks(given.substr(kScheme.size()));
  if (!is_token(token) || !equals_in_constant_time(token, access.token)) {
    return unauthorized("the bearer token is not valid");
  }
  return std::nullopt;
}

std::string_view without_brackets(std::string_view host) noexcept {
  const bool is_bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  return is_bracketed ? host.substr(1, host.size() - 2) : host;
}

// "name", "name:80" or "[::1]:80", apart. A Host header without a port means port 80.
struct Authority {
  std::string_view host;
  std::string_view port = "80";
};

Authority split_authority(std::string_view text) noexcept {
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
  Authority authority;
  authority.host = without_brackets(text.substr(0, has_port ? colon : text.size()));
  if (has_port) authority.port = text.substr(colon + 1);
  return authority;
}

bool is_allowed_host(const Access& access, std::string_view given) {
  const auto authority = split_authority(given);
  if (authority.host.empty()) return false;
  if (is_loopback(authority.host)) return true;
  const auto is_same = [&authority](std::string_view name) {
    return equals_ignoring_case(without_brackets(name), authority.host);
  };
  return std::any_of(access.listen_addresses.begin(), access.listen_addresses.end(), is_same) ||
         is_same(access.reachable_address) ||
         std::any_of(access.allowed_hosts.begin(), access.allowed_hosts.end(),
                     [&](const std::string& name) { return is_same(name) || equals_ignoring_case(name, given); });
}

bool is_allowed_origin(const Access& access, std::string_view origin, std::string_view host) {
  const auto is_same = [origin](std::string_view allowed) { return equals_ignoring_case(allowed, origin); };
  if (std::any_of(access.allowed_origins.begin(), access.allowed_origins.end(), is_same)) return true;
  constexpr std::string_view kScheme = "http://";
  if (!equals_ignoring_case(origin.substr(0, kScheme.size()), kScheme)) return false;
  // The page must be from this very port: another one may be anybody's server.
  const auto page = split_authority(origin.substr(kScheme.size()));
  const auto ours = split_authority(host);
  return equals_ignoring_case(page.host, ours.host) && page.port == ours.port;
}

}  // namespace

std::optional<HttpReply> refuse(const Access& access, const HttpRequest& request) {
  if (!access.token.empty()) return refuse_token(access, request);
  const auto host = header_of(request, "host");
  if (!is_allowed_host(access, host)) {
    return detail_reply(421, "Host '" + std::string(host) + "' is not a name of this host; see allowed_hosts");
  }
  if (request.headers.count("origin") == 0) return std::nullopt;
  const auto origin = header_of(request, "origin");
  if (!is_allowed_origin(access, origin, host)) {
    return detail_reply(403, "Origin '" + std::string(origin) + "' is not this host; see allowed_origins");
  }
  return std::nullopt;
}

bool is_loopback(std::string_view address) {
  const std::string text(without_brackets(address));
  in_addr ipv4{};
  if (::inet_pton(AF_INET, text.c_str(), &ipv4) == 1) return (ntohl(ipv4.s_addr) >> 24) == 127;
  in6_addr ipv6{};
  if (::inet_pton(AF_INET6, text.c_str(), &ipv6) == 1) {
    return IN6_IS_ADDR_LOOPBACK(&ipv6) || (IN6_IS_ADDR_V4MAPPED(&ipv6) && ipv6.s6_addr[12] == 127);
  }
  return std::any_of(kLoopbackNames.begin(), kLoopbackNames.end(),
                     [&text](std::string_view name) { return equals_ignoring_case(name, text); });
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

}  // namespace hakuriver::http
