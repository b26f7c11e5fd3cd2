// URLs of hosts and runners, and percent-encoding (RFC 3986).
//   "http://node-1:8000/api"  -> host "node-1", port 8000, path "/api"
//   "http://[::1]:8000"       -> host "::1", port 8000, path ""
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver::http {

struct Url {
  std::string host{};  // a name or an address; IPv6 without its brackets
  std::uint16_t port = 80;
  std::string path{};  // what is put before every request's path; empty, or begins with '/' and does not end with it

  bool operator==(const Url&) const = default;
};

// Only http. Errc::invalid_argument, naming the text, for everything that is not one.
Result<Url> parse_url(std::string_view text);
// "http://host:port/path"; the port is always there.
std::string to_string(const Url& url);

// Errc::parse on a '%' without two hexadecimal digits. '+' stands for itself.
Result<std::string> decode_percent(std::string_view text);
// The pairs of "a=1&b=x%20y+z", decoded ('+' is a space), in order; a name without '=' has an empty value.
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view text);
// For one path segment or one query value: everything but unreserved characters is escaped.
std::string encode_percent(std::string_view text);

}  // namespace hakuriver::http
