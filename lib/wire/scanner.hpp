// Reading JSON from text in one pass, without building it first: for messages between our own programs, where
// nlohmann's objects would cost more than all the rest. RFC 8259, strictly, and with bounds.
//
// The first thing that is wrong stops the scanner: from then on every call returns at once with an empty value, so
// a caller looks at status() once, at the end.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver::wire {

inline constexpr std::size_t kMaxMessageBytes = std::size_t{64} << 20;
// Strings and list items in one message. A string costs at least three bytes of text and 32 of memory.
inline constexpr std::size_t kMaxMessageItems = std::size_t{1} << 21;
inline constexpr int kMaxJsonDepth = 64;

class Scanner {
 public:
  // `text` must outlive the scanner. `what` is named in errors, such as "report".
  Scanner(std::string_view text, std::string_view what);

  // { name : value , ... }: enter_object(), then next_name() until it is false, reading each value in between. The
  // name is valid until the next call.
  bool enter_object() { return enter('{'); }
  bool next_name(std::string_view& name);
  // [ value , ... ]: enter_array(), then next_item() until it is false, reading one value each time.
  bool enter_array() { return enter('['); }
  bool next_item();

  std::uint64_t u64();
  std::uint32_t u32() { return narrow<std::uint32_t>(); }
  std::uint8_t u8() { return narrow<std::uint8_t>(); }
  std::int64_t i64();
  double decimal();
  bool flag();
  // A string, or {"base64": "..."}.
  std::string text();
  // An array of whole numbers, at most `most`.
  void integers(std::vector<std::int64_t>& out, std::size_t most);
  // Any value, which is checked and dropped.
  void skip();
  // The text of any value, for another reader.
  std::string_view raw();

  // Says what is wrong with a value that was read; the first call counts.
  void fail(std::string_view expected);
  bool failed() const noexcept { return failed_; }
  // Good where nothing failed and nothing but blanks follows. Errc::parse.
  Status status();

 private:
  template <class Number>
  Number narrow() {
    const std::uint64_t value = u64();
    if (value > std::numeric_limits<Number>::max()) fail("a smaller number");
    return failed_ ? Number{} : static_cast<Number>(value);
  }
  bool enter(char open);
  // After an item: true where another one follows, false at `close`.
  bool next(char close);
  bool take(char c);
  void blanks() noexcept;
  char peek() const noexcept { return at_ < end_ ? *at_ : '\0'; }
  std::uint64_t magnitude(std::uint64_t most);
  std::string_view number_text();
  std::string string();
  void escape(std::string& out);
  unsigned code_unit();
  std::string base64();

  const char* begin_;
  const char* at_;
  const char* end_;
  std::string_view what_;
  std::string name_;
  std::string error_;
  std::size_t items_ = 0;
  int depth_ = 0;
  bool fresh_ = false;  // an object or array was entered and has had no item yet
  bool failed_ = false;
};

}  // namespace hakuriver::wire
