// Words cut at their spans, and put together again where a shell has expanded their braces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/shell_run.hpp"
#include "hakuriver/span_mark.hpp"

namespace hakuriver {
inline namespace v1 {

// A word cut at its spans. Successive plain marks (span:1-span:3) are one region, whose value is their text without
// the marks. It points into the word, which must outlive it.
struct CutWord {
  std::string_view word;
  std::vector<SpanMark> marks;
  std::string skeleton;              // the word with each region replaced by a NUL, which no argument can hold
  std::vector<std::string> regions;  // the regions' values
};

inline Result<CutWord> cut_word(std::string_view word) {
  auto marks = find_spans(word);
  if (!marks) return marks.error();
  CutWord cut{word, std::move(*marks), {}, {}};
  std::size_t at = 0;
  bool in_region = false;
  for (const SpanMark& mark : cut.marks) {
    cut.skeleton += word.substr(at, mark.begin - at);
    in_region = in_region && at == mark.begin;
    if (!mark.is_plain()) {
      cut.skeleton += word.substr(mark.begin, mark.end - mark.begin);
    } else if (in_region) {
      cut.regions.back() += mark.body;
    } else {
      cut.skeleton += '\0';
      cut.regions.emplace_back(mark.body);
    }
    in_region = mark.is_plain();
    at = mark.end;
  }
  cut.skeleton += word.substr(at);
  for (auto& region : cut.regions) region.erase(0, std::min(region.find_first_not_of(" \t"), region.size()));
  if (!cut.regions.empty() && cut.skeleton.back() == '\0') {
    std::string& last = cut.regions.back();
    last.erase(last.find_last_not_of(" \t") + 1);
  }
  return cut;
}

// One word, or a run of words that a shell made of one or more.
struct WordGroup {
  std::vector<const CutWord*> words;
  ListLengths lists;  // of a run: how its words, in order, belong to lists
  std::string fault;  // why a run cannot be read; else empty

  bool is_run() const noexcept { return words.size() > 1; }
};

namespace cut_word_detail {

// "span:1..3" beside "span:7": what bash leaves of span:{1..3,7}.
inline bool is_range_beside_value(const CutWord& a, const CutWord& b) {
  if (a.marks.empty() || b.marks.empty()) return false;
  const SpanMark& x = a.marks.front();
  const SpanMark& y = b.marks.front();
  if (x.form != SpanForm::bare || y.form != SpanForm::bare || x.is_plain() == y.is_plain()) return false;
  const SpanMark& range = x.is_plain() ? y : x;
  return range.body.find_first_of("[{,") == std::string_view::npos &&
         a.word.substr(0, x.begin) == b.word.substr(0, y.begin);
}

inline bool is_of_one_run(const CutWord& last, const CutWord& next) {
  return (!next.regions.empty() && next.skeleton == last.skeleton) || is_range_beside_value(last, next);
}

inline std::vector<std::string_view> values_of(const WordGroup& group) {
  std::vector<std::string_view> values;
  for (const auto* word : group.words) {
    values.push_back(word->regions.empty() ? word->marks.front().body : word->regions.front());
  }
  return values;
}

inline bool holds_range(const std::vector<const CutWord*>& words) {
  return std::any_of(words.begin(), words.end(), [](const CutWord* word) { return word->regions.empty(); });
}

inline void read_run(WordGroup& group) {
  for (const auto* word : group.words) {
    if (word->regions.size() > 1) group.fault = "its words hold several spans each";
  }
  if (holds_range(group.words)) group.fault = "it has a range beside a value";
  if (!group.fault.empty()) return;
  auto lists = read_shell_run(values_of(group));
  if (lists) {
    group.lists = std::move(*lists);
  } else {
    group.fault = lists.error().message;
  }
}

// What was most likely typed: each region of the words' skeleton in braces, with the values that it has in `words`.
inline std::string in_braces(const std::vector<const CutWord*>& words) {
  const CutWord& first = *words.front();
  if (holds_range(words)) {
    std::string items;
    for (const auto* word : words) items += (items.empty() ? "" : ",") + std::string(word->marks.front().body);
    return std::string(first.word.substr(0, first.marks.front().begin)) + "span:{" + items + "}";
  }
  std::string text;
  std::size_t region = 0;
  for (const char c : first.skeleton) {
    if (c != '\0') {
      text += c;
      continue;
    }
    std::vector<std::string_view> items;
    for (const auto* word : words) {
      const std::string_view item = word->regions[region];
      const bool known = first.regions.size() > 1 && std::find(items.begin(), items.end(), item) != items.end();
      if (!known) items.push_back(item);
    }
    text += "span:{";
    for (std::size_t i = 0; i < items.size(); ++i) text += (i == 0 ? "" : ",") + std::string(items[i]);
    text += '}';
    ++region;
  }
  return text;
}

}  // namespace cut_word_detail

// Joins neighbours. `words` must outlive the groups.
inline std::vector<WordGroup> group_words(const std::vector<CutWord>& words) {
  std::vector<WordGroup> groups;
  for (const CutWord& word : words) {
    if (!groups.empty() && cut_word_detail::is_of_one_run(*groups.back().words.back(), word)) {
      groups.back().words.push_back(&word);
    } else {
      groups.push_back({{&word}, {}, {}});
    }
  }
  for (auto& group : groups) {
    if (group.is_run()) cut_word_detail::read_run(group);
  }
  return groups;
}

// The words as they should have been typed, spans in braces; to be quoted.
inline Argv suggest_words(const std::vector<WordGroup>& groups) {
  Argv words;
  for (const auto& group : groups) {
    if (!group.is_run()) {
      words.emplace_back(group.words.front()->word);
      continue;
    }
    const bool one_region = group.words.front()->regions.size() == 1 && !cut_word_detail::holds_range(group.words);
    ListLengths lists = group.lists;
    if (lists.empty() && one_region) lists = suggest_lists(cut_word_detail::values_of(group));
    if (lists.empty()) lists = {group.words.size()};
    auto first = group.words.begin();
    for (const std::size_t length : lists) {
      const auto last = first + static_cast<std::ptrdiff_t>(length);
      words.push_back(cut_word_detail::in_braces({first, last}));
      first = last;
    }
  }
  return words;
}

}  // namespace v1
}  // namespace hakuriver
