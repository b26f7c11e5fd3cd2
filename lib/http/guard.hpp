// Who may ask anything of a host or runner: decided from the request alone, before its route is looked at.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/http.hpp"

namespace hakuriver::http {

// Without a token only browsers are kept in check: a page from elsewhere could otherwise reach a service on the
// loopback through the browser that shows it, by its own requests or by a name that is made to resolve here.
struct Access {
  std::string token{};                          // hexadecimal; empty: no token is asked for
  std::vector<std::string> listen_addresses{};  // names and addresses, without ports
  std::string reachable_address{};              // how others name this host; may be empty
  std::vector<std::string> allowed_hosts{};     // further names, "name" or "name:port"
  std::vector<std::string> allowed_origins{};   // such as "https://cluster.example.org"
};

// The reply to a request that is not allowed: 401 for a missing or wrong token, 421 for a Host and 403 for an Origin
// that are not ours. Nothing where the request may go on.
std::optional<HttpReply> refuse(const Access& access, const HttpRequest& request);

// Does the address stay within this machine? 127.0.0.0/8, ::1 (with or without brackets, also as IPv4 within IPv6),
// and the names localhost, localhost.localdomain, ip6-localhost and ip6-loopback.
bool is_loopback(std::string_view address);

// Hexadecimal digits, at least one.
bool is_token(std::string_view text) noexcept;

}  // namespace hakuriver::http
