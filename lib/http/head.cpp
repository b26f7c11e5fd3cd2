#include "http/head.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace hakuriver::http {
namespace {

char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// RFC 9110, section 5.6.2.
bool is_token_char(char c) noexcept {
  const bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_alnum || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

bool is_header_value(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\t'; });
}

constexpr std::array<std::string_view, 6> kHiddenHeaders{"range",       "expect",     "remote_addr",
                                                         "remote_port", "local_addr", "local_port"};

bool is_hidden(std::string_view name) noexcept {
  return std::any_of(kHiddenHeaders.begin(), kHiddenHeaders.end(),
                     [name](std::string_view hidden) { return equals_ignoring_case(name, hidden); });
}

// One scan over one head: the lines in order, each seen once.
class Scan {
 public:
  Scan(std::string& head, const HeadLimits& limits) : head_(head), limits_(limits) {}

  HeadFacts run() {
    const auto end = head_.find("\r\n");
    if (read_request_line(std::string_view(head_).substr(0, end)) && read_lines(end + 2)) check_whole();
    return std::move(facts_);
  }

 private:
  bool refuse(int status, std::string_view detail) {
    facts_.refusal = {status, std::string(detail)};
    return false;
  }

  bool read_request_line(std::string_view line) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return refuse(400, "the request line is not well formed");
    const auto method = line.substr(0, first);
    const auto target = line.substr(first + 1, last - first - 1);
    const auto version = line.substr(last + 1);
    if (!is_token(method)) return refuse(400, "the method is not a token");
    if (version.size() != 8 || version.substr(0, 5) != "HTTP/")
      return refuse(400, "the HTTP version is not well formed");
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken");
    facts_.is_http10 = version == "HTTP/1.0";
    facts_.keep_alive = !facts_.is_http10;
    facts_.head_only = method == "HEAD";
    return read_target(target);
  }

  bool read_target(std::string_view target) {
    const auto is_printable = [](char c) { return c > ' ' && c < 0x7f; };
    if (target.empty() || target[0] != '/') return refuse(400, "the target must begin with '/'");
    if (!std::all_of(target.begin(), target.end(), is_printable)) {
      return refuse(400, "the target holds bytes that must be percent-encoded");
    }
    if (std::min(target.find('?'), target.size()) > limits_.path) return refuse(414, "the path is too long");
    return true;
  }

  bool read_lines(std::size_t at) {
    for (std::size_t count = 0; head_.compare(at, 2, "\r\n") != 0; ++count) {
      if (count == limits_.headers) return refuse(431, "too many headers");
      const auto end = head_.find("\r\n", at);
      const auto line = std::string_view(head_).substr(at, end - at);
      const auto colon = line.find(':');
      if (colon == std::string_view::npos) return refuse(400, "a header line has no ':'");
      const auto name = line.substr(0, colon);
      const auto value = trim_blanks(line.substr(colon + 1));
      if (!is_token(name)) return refuse(400, "a header's name is not a token");
      if (!is_header_value(value)) return refuse(400, "a header's value holds control characters");
      if (!read_header(name, value)) return false;
      if (is_hidden(name)) {
        head_.erase(at, end + 2 - at);
      } else {
        at = end + 2;
      }
    }
    return true;
  }

  bool read_header(std::string_view name, std::string_view value) {
    // Only a name of these lengths can matter; most headers are passed by here.
    switch (name.size()) {
      case 4:
        return !equals_ignoring_case(name, "host") || read_host();
      case 6:
        return !equals_ignoring_case(name, "expect") || read_expect(value);
      case 10:
        return !equals_ignoring_case(name, "connection") || read_connection(value);
      case 14:
        return !equals_ignoring_case(name, "content-length") || read_content_length(value);
      case 16:
        return !equals_ignoring_case(name, "content-encoding") || read_content_encoding(value);
      case 17:
        return !equals_ignoring_case(name, "transfer-encoding") || read_transfer_encoding(value);
      default:
        return true;
    }
  }

  bool read_host() { return ++hosts_ == 1 || refuse(400, "more than one Host header"); }

  bool read_expect(std::string_view value) {
    if (!equals_ignoring_case(value, "100-continue")) return refuse(417, "only 'Expect: 100-continue' is known");
    facts_.expects_continue = !facts_.is_http10;
    return true;
  }

  bool read_connection(std::string_view value) {
    if (has_token(value, "close")) {
      closes_ = true;
    } else if (has_token(value, "keep-alive")) {
      facts_.keep_alive = true;
    }
    return true;
  }

  bool read_content_length(std::string_view value) {
    if (has_length_) return refuse(400, "more than one Content-Length header");
    has_length_ = true;
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (value.empty() || !std::all_of(value.begin(), value.end(), is_digit)) {
      return refuse(400, "the Content-Length is not a number");
    }
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), facts_.content_length);
    if (parsed.ec != std::errc() || facts_.content_length > limits_.body) return refuse(413, "the body is too large");
    return true;
  }

  // A few bytes can unpack to gigabytes, and no client of ours packs requests.
  bool read_content_encoding(std::string_view value) {
    return equals_ignoring_case(value, "identity") || refuse(415, "compressed request bodies are not accepted");
  }

  bool read_transfer_encoding(std::string_view value) {
    if (facts_.is_chunked) return refuse(400, "more than one Transfer-Encoding header");
    if (!equals_ignoring_case(value, "chunked")) return refuse(501, "only 'Transfer-Encoding: chunked' is known");
    facts_.is_chunked = true;
    return true;
  }

  void check_whole() {
    if (facts_.is_chunked && (has_length_ || facts_.is_http10)) {
      refuse(400, "Transfer-Encoding together with Content-Length or HTTP/1.0");
    } else if (hosts_ == 0 && !facts_.is_http10) {
      refuse(400, "the Host header is missing");
    }
    if (closes_) facts_.keep_alive = false;
    if (!facts_.is_chunked && facts_.content_length == 0) facts_.expects_continue = false;
  }

  std::string& head_;
  const HeadLimits& limits_;
  HeadFacts facts_;
  std::size_t hosts_ = 0;
  bool has_length_ = false;
  bool closes_ = false;
};

}  // namespace

HeadFacts scan_head(std::string& head, const HeadLimits& limits) { return Scan(head, limits).run(); }

bool equals_ignoring_case(std::string_view left, std::string_view right) noexcept {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), [](char a, char b) { return to_lower(a) == to_lower(b); });
}

bool has_token(std::string_view list, std::string_view token) noexcept {
  for (;;) {
    const auto comma = list.find(',');
    if (equals_ignoring_case(trim_blanks(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

std::string_view trim_blanks(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace hakuriver::http
