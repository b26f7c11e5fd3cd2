// The words of a command line, with spans in them, as a sweep.
//
//   const auto words = parse_sweep({"echo", "x", "span:{1..2}", "span:[A,B]"});
//   words->sweep.size()    4
//   words->sweep.at(2)     echo x 2 A
//
// Adjacent words that differ only in one plain value after "span:" are what a shell left of braces that it expanded:
// they are joined again (shell_run.hpp), and `shell_reading` says how they were understood.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/command_sweep.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/shell_run.hpp"
#include "hakuriver/span_mark.hpp"

namespace hakuriver {
inline namespace v1 {

struct SweepWords {
  CommandSweep sweep;
  std::string shell_reading;  // one line for the user where words were joined; else empty
  Argv plain_words;           // the words whose spans all were plain values, as given
};

namespace sweep_words_detail {

// A word cut at its spans. Successive plain marks (span:1-span:3) are one region, whose value is their text without
// the marks.
struct CutWord {
  std::string_view word;
  std::vector<SpanMark> marks;
  std::string skeleton;            // the word with each region replaced by a NUL, which no argument can hold
  std::vector<std::string> regions;  // their values
};

inline Result<CutWord> cut_word(std::string_view word) {
  auto marks = find_spans(word);
  if (!marks) return marks.error();
  CutWord cut{word, std::move(*marks), {}, {}};
  std::size_t at = 0;
  for (std::size_t i = 0; i < cut.marks.size(); ++i) {
    const SpanMark& mark = cut.marks[i];
    const bool continues = i > 0 && cut.marks[i - 1].is_plain() && mark.is_plain();
    cut.skeleton += word.substr(at, mark.begin - at);
    if (!mark.is_plain()) {
      cut.skeleton += word.substr(mark.begin, mark.end - mark.begin);
    } else if (continues) {
      cut.regions.back() += mark.body;
    } else {
      cut.skeleton += '\0';
      cut.regions.emplace_back(mark.body);
    }
    at = mark.end;
  }
  cut.skeleton += word.substr(at);
  for (auto& region : cut.regions) {
    const auto blanks = region.find_first_not_of(" \t");
    region.erase(0, blanks == std::string::npos ? region.size() : blanks);
  }
  if (!cut.skeleton.empty() && cut.skeleton.back() == '\0') {
    std::string& last = cut.regions.back();
    last.erase(last.find_last_not_of(" \t") + 1);
  }
  return cut;
}

// Words that belong together: one word, or a run that a shell made of one.
struct WordGroup {
  const CutWord* first = nullptr;
  std::vector<std::string_view> values;  // of the only region, where it is a run
  ListLengths lists;                     // of `values`; empty where the group is one word
};

// The word once more in braces: its head, the values as a list, its tail.
inline std::string braced(const CutWord& word, const std::vector<std::string_view>& values, std::size_t first,
                          std::size_t length) {
  const auto region = word.skeleton.find('\0');
  std::string text = word.skeleton.substr(0, region) + "span:{";
  for (std::size_t i = first; i < first + length; ++i) {
    if (i > first) text += ',';
    text += values[i];
  }
  return text + "}" + word.skeleton.substr(region + 1);
}

inline void append_braced(const WordGroup& group, const ListLengths& lists, Argv& words) {
  std::size_t first = 0;
  for (const std::size_t length : lists) {
    words.push_back(braced(*group.first, group.values, first, length));
    first += length;
  }
}

// A value that the braces of a shell may have left beside a range that they did not expand: span:{1..3,7}.
inline bool is_range_beside_value(const CutWord& a, const CutWord& b) {
  if (a.marks.empty() || b.marks.empty()) return false;
  const SpanMark& x = a.marks.front();
  const SpanMark& y = b.marks.front();
  if (x.form != SpanForm::bare || y.form != SpanForm::bare || x.is_plain() == y.is_plain()) return false;
  const SpanMark& range = x.is_plain() ? y : x;
  return range.body.find_first_of("[{,") == std::string_view::npos &&
         a.word.substr(0, x.begin) == b.word.substr(0, y.begin);
}

inline bool is_run_continued(const CutWord& last, const CutWord& next) {
  return !next.regions.empty() && next.skeleton == last.skeleton;
}

// Builds the words' templates and collects their axes.
class SweepBuilder {
 public:
  // Words before the command, for the line that is to be pasted.
  explicit SweepBuilder(const Argv& typed_before) : typed_before_(typed_before) {}

  Status group(const std::vector<CutWord>& words) {
    for (std::size_t i = 0; i < words.size();) {
      WordGroup group{&words[i], {}, {}};
      std::size_t end = i + 1;
      while (end < words.size() && is_run_continued(words[i], words[end])) ++end;
      if (end - i > 1) {
        for (std::size_t k = i; k < end; ++k) group.values.push_back(words[k].regions.front());
      }
      groups_.push_back(std::move(group));
      i = end;
    }
    return Unit{};
  }

 private:
  const Argv& typed_before_;
  std::vector<WordGroup> groups_;
};

}  // namespace sweep_words_detail
}  // namespace v1
}  // namespace hakuriver
