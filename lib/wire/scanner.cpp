#include "wire/scanner.hpp"

#include <charconv>

#include "wire/json_text.hpp"

namespace hakuriver::wire {
namespace {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, unsigned code) {
  const auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0U | code >> 6);
    return put(0x80U | (code & 63U));
  }
  if (code < 0x10000) {
    put(0xE0U | code >> 12);
  } else {
    put(0xF0U | code >> 18);
    put(0x80U | (code >> 12 & 63U));
  }
  put(0x80U | (code >> 6 & 63U));
  put(0x80U | (code & 63U));
}

}  // namespace

Scanner::Scanner(std::string_view text, std::string_view what)
    : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()), what_(what) {
  if (text.size() > kMaxMessageBytes) fail("at most 64 MiB");
}

void Scanner::fail(std::string_view expected) {
  if (failed_) return;
  failed_ = true;
  error_ = std::string(what_) + ": expected " + std::string(expected) + " at byte " + std::to_string(at_ - begin_);
}

Status Scanner::status() {
  blanks();
  if (at_ != end_) fail("nothing after the end");
  if (failed_) return Error{Errc::parse, error_};
  return Unit{};
}

void Scanner::blanks() noexcept {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

bool Scanner::take(char c) {
  blanks();
  if (failed_ || peek() != c || at_ == end_) return false;
  ++at_;
  return true;
}

bool Scanner::enter(char open) {
  if (depth_ == kMaxJsonDepth) fail("at most 64 levels");
  if (!take(open)) fail(open == '{' ? "an object" : "an array");
  if (failed_) return false;
  ++depth_;
  fresh_ = true;
  return true;
}

bool Scanner::next(char close) {
  if (failed_) return false;
  if (take(close)) {
    --depth_;
    fresh_ = false;
    return false;
  }
  if (!fresh_ && !take(',')) fail("a comma or the end");
  fresh_ = false;
  return !failed_;
}

bool Scanner::next_item() {
  if (!next(']')) return false;
  if (++items_ > kMaxMessageItems) fail("fewer items");
  return !failed_;
}

bool Scanner::next_name(std::string_view& name) {
  if (!next('}')) return false;
  blanks();
  name_ = string();
  if (!take(':')) fail("a colon");
  name = name_;
  return !failed_;
}

// Reads digits up to `most`: no sign, no leading zero, nothing that would not fit.
std::uint64_t Scanner::magnitude(std::uint64_t most) {
  const char* const first = at_;
  std::uint64_t value = 0;
  bool fits = true;
  for (; at_ < end_ && is_digit(*at_); ++at_) {
    const auto digit = static_cast<std::uint64_t>(*at_ - '0');
    fits = fits && value <= (std::numeric_limits<std::uint64_t>::max() - digit) / 10;
    value = value * 10 + digit;
  }
  const bool fraction = peek() == '.' || peek() == 'e' || peek() == 'E';
  if (at_ == first || (*first == '0' && at_ - first > 1) || fraction) fail("a whole number");
  if (!fits || value > most) fail("a smaller number");
  return failed_ ? 0 : value;
}

std::uint64_t Scanner::u64() {
  blanks();
  return failed_ ? 0 : magnitude(std::numeric_limits<std::uint64_t>::max());
}

std::int64_t Scanner::i64() {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  blanks();
  if (failed_) return 0;
  if (peek() != '-') return static_cast<std::int64_t>(magnitude(kMost));
  ++at_;
  return static_cast<std::int64_t>(0 - magnitude(kMost + 1));
}

void Scanner::integers(std::vector<std::int64_t>& out, std::size_t most) {
  for (enter_array(); next_item(); out.push_back(i64())) {
    if (out.size() == most) return fail("at most " + std::to_string(most) + " numbers");
  }
}

// The extent of a number by JSON's grammar; empty where there is none.
std::string_view Scanner::number_text() {
  const char* const first = at_;
  const auto digits = [&] {
    const char* const from = at_;
    while (at_ < end_ && is_digit(*at_)) ++at_;
    return at_ - from;
  };
  if (peek() == '-') ++at_;
  const bool zero = peek() == '0';
  const auto whole = digits();
  bool good = whole == 1 || (whole > 1 && !zero);
  if (peek() == '.') {
    ++at_;
    good = digits() > 0 && good;
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    good = digits() > 0 && good;
  }
  return good ? std::string_view(first, static_cast<std::size_t>(at_ - first)) : std::string_view{};
}

double Scanner::decimal() {
  blanks();
  const std::string_view digits = number_text();
  double value = 0;
  if (digits.empty() || std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{}) {
    fail("a number");
  }
  return failed_ ? 0 : value;
}

bool Scanner::flag() {
  blanks();
  const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
  const bool yes = rest.starts_with("true");
  if (!yes && !rest.starts_with("false")) fail("true or false");
  if (failed_) return false;
  at_ += yes ? 4 : 5;
  return yes;
}

std::string Scanner::text() {
  if (++items_ > kMaxMessageItems) fail("fewer items");
  blanks();
  return peek() == '{' ? base64() : string();
}

std::string Scanner::base64() {
  std::string_view name;
  enter_object();
  if (!next_name(name) || name != "base64") fail("text or {\"base64\": ...}");
  const std::string coded = string();
  if (next_name(name)) fail("nothing but base64");
  auto bytes = from_base64(coded);
  if (!bytes) fail("base64");
  return failed_ ? std::string{} : *std::move(bytes);
}

std::string Scanner::string() {
  if (!take('"')) fail("text");
  std::string out;
  while (!failed_) {
    const char* const from = at_;
    while (at_ < end_ && static_cast<unsigned char>(*at_) >= 0x20 && *at_ != '"' && *at_ != '\\') ++at_;
    out.append(from, at_);
    if (at_ == end_ || static_cast<unsigned char>(*at_) < 0x20) fail("the end of the text");
    if (!failed_ && *at_++ == '"') break;
    escape(out);
  }
  if (!is_utf8(out)) fail("UTF-8 before here");
  return failed_ ? std::string{} : out;
}

// After a backslash.
void Scanner::escape(std::string& out) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  if (failed_) return;
  if (at_ == end_) return fail("an escape");
  const char name = *at_++;
  if (name != 'u') {
    const auto i = kNames.find(name);
    return i == std::string_view::npos ? fail("an escape") : out.push_back(kMeant[i]);
  }
  unsigned code = code_unit();
  if (code >= 0xDC00 && code <= 0xDFFF) return fail("the first half of a surrogate pair");
  if (code >= 0xD800 && code <= 0xDBFF) {
    const bool pair = end_ - at_ >= 2 && at_[0] == '\\' && at_[1] == 'u';
    at_ += pair ? 2 : 0;
    const unsigned low = pair ? code_unit() : 0;
    if (low < 0xDC00 || low > 0xDFFF) return fail("the second half of a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  if (!failed_) append_utf8(out, code);
}

unsigned Scanner::code_unit() {
  unsigned value = 0;
  if (end_ - at_ < 4 || std::from_chars(at_, at_ + 4, value, 16).ptr != at_ + 4) fail("four hex digits");
  if (failed_) return 0;
  at_ += 4;
  return value;
}

std::string_view Scanner::raw() {
  blanks();
  const char* const first = at_;
  skip();
  return failed_ ? std::string_view() : std::string_view(first, static_cast<std::size_t>(at_ - first));
}

void Scanner::skip() {
  std::string_view name;
  blanks();
  if (failed_) return;
  if (peek() == '{') {
    for (enter_object(); next_name(name); skip()) continue;
  } else if (peek() == '[') {
    for (enter_array(); next_item(); skip()) continue;
  } else if (peek() == '"') {
    string();
  } else if (peek() == 't' || peek() == 'f') {
    flag();
  } else if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with("null")) {
    at_ += 4;
  } else if (number_text().empty()) {
    fail("a value");
  }
}

}  // namespace hakuriver::wire
