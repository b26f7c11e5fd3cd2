// Where the spans of a word are: "out-span:{1..2}.csv" is the text "out-", a span in braces, and the text ".csv".
//
// "span:" marks a span wherever it stands in a word, unless a letter or a digit is right before it (as in
// "timespan:5"). A span in braces or brackets ends with them; a bare one reaches to the next mark or to the word's end.
// To hand on the text "span:x" itself, write it as an item: "span:[span:x]".
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/result.hpp"
#include "hakuriver/span.hpp"

namespace hakuriver {
inline namespace v1 {

struct SpanMark {
  std::size_t begin = 0;  // where "span:" starts in the word
  std::size_t end = 0;    // one past the span
  SpanForm form = SpanForm::bare;
  std::string_view body;  // without braces or brackets; points into the word

  // A bare value that names no further ones: what a shell leaves of braces that it expanded.
  bool is_plain() const noexcept {
    return form == SpanForm::bare && body.find_first_of("[{,") == std::string_view::npos &&
           body.find("..") == std::string_view::npos;
  }
};

namespace span_detail {

inline constexpr std::string_view kMark = "span:";

// The place of the first mark at or after `from`; npos where there is none.
constexpr std::size_t find_mark(std::string_view word, std::size_t from) noexcept {
  for (auto at = word.find(kMark, from); at != std::string_view::npos; at = word.find(kMark, at + 1)) {
    const char before = at == 0 ? ' ' : word[at - 1];
    const bool in_a_name =
        (before >= '0' && before <= '9') || (before >= 'A' && before <= 'Z') || (before >= 'a' && before <= 'z');
    if (!in_a_name) return at;
  }
  return std::string_view::npos;
}

// The place of the bracket that closes the one at `open`; npos where it is missing.
constexpr std::size_t find_closing(std::string_view word, std::size_t open) noexcept {
  const char opening = word[open];
  const char closing = opening == '{' ? '}' : ']';
  std::size_t depth = 0;
  for (std::size_t i = open; i < word.size(); ++i) {
    if (word[i] == opening) ++depth;
    if (word[i] == closing && --depth == 0) return i;
  }
  return std::string_view::npos;
}

inline Result<SpanMark> read_mark(std::string_view word, std::size_t begin) {
  SpanMark mark;
  mark.begin = begin;
  std::size_t body = begin + kMark.size();
  const auto text = word.find_first_not_of(" \t", body);
  if (text == std::string_view::npos || (word[text] != '{' && word[text] != '[')) {
    mark.end = std::min(find_mark(word, body), word.size());
    mark.body = word.substr(body, mark.end - body);
    return mark;
  }
  mark.form = word[text] == '{' ? SpanForm::braces : SpanForm::brackets;
  const auto close = find_closing(word, text);
  if (close == std::string_view::npos) {
    return Error{Errc::parse, quoted(word.substr(begin)) + " lacks its closing '" + (word[text] == '{' ? "}'" : "]'")};
  }
  mark.body = word.substr(text + 1, close - text - 1);
  mark.end = close + 1;
  return mark;
}

}  // namespace span_detail

// The spans of a word, in order. They point into `word`, which must outlive them.
inline Result<std::vector<SpanMark>> find_spans(std::string_view word) {
  std::vector<SpanMark> marks;
  for (auto at = span_detail::find_mark(word, 0); at != std::string_view::npos;) {
    auto mark = span_detail::read_mark(word, at);
    if (!mark) return mark.error();
    at = span_detail::find_mark(word, mark->end);
    marks.push_back(*mark);
  }
  return marks;
}

}  // namespace v1
}  // namespace hakuriver
