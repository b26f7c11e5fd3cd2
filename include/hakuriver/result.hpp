// Failure as a value.
//
//   Result<int> parse(std::string_view text);
//   const auto number = parse("12");
//   if (!number) return number.error();
//   use(*number);
//
// Nothing in hakuriver throws on bad input. Only std::bad_alloc may pass through.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace hakuriver {
inline namespace v1 {

// Why something failed, as far as a caller can act on it. A number never changes its meaning.
enum class Errc : std::int32_t {
  invalid_argument = 1,  // the caller gave something that can never be right
  parse = 2,             // a text does not follow its grammar
  not_found = 3,         // the thing named does not exist
  conflict = 4,          // it exists, but its state forbids this
  limit = 5,             // a bound would be exceeded
  io = 6,                // the operating system or the disk refused
  unavailable = 7,       // try again later: not reachable, or not ready
  denied = 8,            // not allowed for this caller
  internal = 9,          // a defect of ours
};

// One failure. `message` is one line without a final period; it names the thing, quotes what was given
// and says what was expected. It does not repeat what the caller already knows.
struct Error {
  Errc code = Errc::internal;
  std::string message;

  bool operator==(const Error&) const = default;
};

// The value of a function that can fail and returns nothing.
struct Unit {
  bool operator==(const Unit&) const = default;
};

// Either a value or an Error, with std::expected's names. Asking for the one that is not there is a
// programming error (undefined behaviour, as for std::expected).
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& operator*() & noexcept { return *std::get_if<0>(&content_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&content_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&content_)); }
  T* operator->() noexcept { return std::get_if<0>(&content_); }
  const T* operator->() const noexcept { return std::get_if<0>(&content_); }

  Error& error() & noexcept { return *std::get_if<1>(&content_); }
  const Error& error() const& noexcept { return *std::get_if<1>(&content_); }
  Error&& error() && noexcept { return std::move(*std::get_if<1>(&content_)); }

 private:
  std::variant<T, Error> content_;
};

using Status = Result<Unit>;

}  // namespace v1
}  // namespace hakuriver
