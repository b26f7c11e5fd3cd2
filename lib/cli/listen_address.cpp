#include "cli/listen_address.hpp"

#include <charconv>
#include <string>

namespace hakuriver::cli {

Result<http::ListenAddress> parse_listen(std::string_view text) {
  const Error bad{Errc::invalid_argument, "--listen: '" + std::string(text.substr(0, 128)) +
                                              "' is not ADDR:PORT, such as 127.0.0.1:8001 or [::1]:8001"};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::string_view address = text.substr(0, colon);
  const bool is_bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (is_bracketed) address = address.substr(1, address.size() - 2);
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
  const bool is_no_name =
      address.empty() || address.find_first_of(is_bracketed ? "[]" : "[]:") != std::string_view::npos;
  if (error != std::errc{} || rest != end || is_no_name) return bad;
  return http::ListenAddress{std::string(address), port};
}

}  // namespace hakuriver::cli
