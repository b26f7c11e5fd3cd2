#include "http/url.hpp"

#include <algorithm>
#include <charconv>

namespace hakuriver::http {
namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_alnum(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_name(std::string_view host) noexcept {
  return !host.empty() &&
         std::all_of(host.begin(), host.end(), [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_'; });
}

bool is_ipv6_text(std::string_view host) noexcept {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return hex_value(c) >= 0 || c == ':' || c == '.' || c == '%' || is_alnum(c);
  });
}

Error bad_url(std::string_view text, std::string_view expected) {
  return {Errc::invalid_argument, std::string("'").append(text).append("': ").append(expected)};
}

// The text after the host: nothing, or ':' and a port.
Status read_port(std::string_view text, std::string_view whole, std::uint16_t& port) {
  if (text.empty()) return Unit{};
  const auto digits = text.substr(1);
  const auto* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, port);
  if (text[0] != ':' || parsed.ec != std::errc() || parsed.ptr != end || port == 0) {
    return bad_url(whole, "the port must be a number from 1 to 65535");
  }
  return Unit{};
}

Status read_authority(std::string_view authority, std::string_view whole, Url& url) {
  if (authority.find('@') != std::string_view::npos) return bad_url(whole, "a user name in a URL is not supported");
  if (!authority.empty() && authority[0] == '[') {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return bad_url(whole, "'[' without ']'");
    url.host = authority.substr(1, close - 1);
    if (!is_ipv6_text(url.host)) return bad_url(whole, "an IPv6 address was expected between '[' and ']'");
    return read_port(authority.substr(close + 1), whole, url.port);
  }
  const auto colon = std::min(authority.find(':'), authority.size());
  url.host = authority.substr(0, colon);
  if (!is_name(url.host)) return bad_url(whole, "a host name or address was expected after 'http://'");
  return read_port(authority.substr(colon), whole, url.port);
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (text.substr(0, 8) == "https://") return bad_url(text, "https is not supported yet, use http");
  if (text.substr(0, kScheme.size()) != kScheme)
    return bad_url(text, "a URL such as http://127.0.0.1:8000 was expected");
  const auto rest = text.substr(kScheme.size());
  const auto slash = std::min(rest.find('/'), rest.size());
  Url url;
  if (const auto read = read_authority(rest.substr(0, slash), text, url); !read) return read.error();
  url.path = rest.substr(slash);
  const auto is_plain = [](char c) { return c > ' ' && c < 0x7f && c != '?' && c != '#'; };
  if (!std::all_of(url.path.begin(), url.path.end(), is_plain)) {
    return bad_url(text, "the path of a base URL has no query, fragment or blanks");
  }
  while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  return url;
}

std::string to_string(const Url& url) {
  const bool is_ipv6 = url.host.find(':') != std::string::npos;
  return "http://" + (is_ipv6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port) + url.path;
}

Result<std::string> decode_percent(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded.push_back(text[at]);
      continue;
    }
    const int high = at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
    const int low = at + 2 < text.size() ? hex_value(text[at + 2]) : -1;
    if (high < 0 || low < 0) return Error{Errc::parse, "'%' is not followed by two hexadecimal digits"};
    decoded.push_back(static_cast<char>(high * 16 + low));
    at += 2;
  }
  return decoded;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    std::string pair(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    std::replace(pair.begin(), pair.end(), '+', ' ');
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = decode_percent(std::string_view(pair).substr(0, equals));
    auto value = decode_percent(std::string_view(pair).substr(std::min(equals + 1, pair.size())));
    if (!name) return std::move(name.error());
    if (!value) return std::move(value.error());
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

std::string encode_percent(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return encoded;
}

}  // namespace hakuriver::http
