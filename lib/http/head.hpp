// The head of a request, checked before any parser sees it.
//
// The framing (where a request ends) decides what the next one is, so it is read strictly here and nowhere else:
// RFC 9112, sections 2 to 6. Whatever two readers could understand differently is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hakuriver::http {

struct HeadLimits {
  std::size_t path = 2048;  // bytes of the target before '?'
  std::size_t headers = 100;
  std::size_t body = 16 << 20;
};

// An answer other than the handler's. Status 0: nothing to object to.
struct Refusal {
  int status = 0;
  std::string detail;
};

// What a head says about its own message.
struct HeadFacts {
  Refusal refusal;
  std::size_t content_length = 0;
  bool is_chunked = false;
  bool expects_continue = false;
  bool is_http10 = false;
  bool keep_alive = true;
  bool head_only = false;  // the method is HEAD: no body in the reply
};

// Reads a head that ends with an empty line. Header lines that must not reach the parser or a handler are taken out
// of `head`: Range (nothing here is sent in parts), Expect (answered here), and the names under which the parser
// records addresses.
HeadFacts scan_head(std::string& head, const HeadLimits& limits);

// Both without regard to the case of ASCII letters.
bool equals_ignoring_case(std::string_view left, std::string_view right) noexcept;
// Is `token` an item of the comma-separated `list`?
bool has_token(std::string_view list, std::string_view token) noexcept;

std::string_view trim_blanks(std::string_view text) noexcept;

}  // namespace hakuriver::http
