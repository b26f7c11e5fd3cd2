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
#include "hakuriver/cut_word.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

struct SweepWords {
  CommandSweep sweep;
  std::string shell_reading;  // one line for the user where words were joined; else empty
  Argv plain_words;           // the words that hold plain spans only, as given: a glob may have put them there
};

namespace sweep_words_detail {

// Templates of words, and the axes that they name, while they are collected.
struct Collected {
  std::vector<WordTemplate> words;
  std::vector<Axis> axes;
};

inline void add_text(std::string_view text, WordTemplate& word) {
  if (!text.empty()) word.push_back({std::string(text), std::nullopt, RunWord::none});
}

// Adds the word once, with one list of values for each of its regions; the spans that are not plain become axes of
// their own.
inline Status add_word(const CutWord& cut, std::vector<ValueList> regions, Collected& collected) {
  WordTemplate word;
  std::size_t at = 0;
  std::size_t region = 0;
  bool in_region = false;
  for (const SpanMark& mark : cut.marks) {
    add_text(cut.word.substr(at, mark.begin - at), word);
    const bool continues = in_region && mark.is_plain() && at == mark.begin;
    in_region = mark.is_plain();
    at = mark.end;
    if (continues) continue;
    auto axis = in_region ? Result<Axis>(Axis(std::move(regions[region++]))) : parse_span(mark.form, mark.body);
    if (!axis) return Error{axis.error().code, span_detail::quoted(cut.word) + ": " + axis.error().message};
    word.push_back({{}, collected.axes.size(), RunWord::none});
    collected.axes.push_back(std::move(*axis));
  }
  add_text(cut.word.substr(at), word);
  collected.words.push_back(std::move(word));
  return Unit{};
}

inline Status add_group(const WordGroup& group, Collected& collected) {
  const CutWord& first = *group.words.front();
  for (const auto* word : group.words) {
    for (const auto& value : word->regions) {
      if (value.empty()) return Error{Errc::parse, span_detail::quoted(word->word) + ": " + span_detail::kNoValue};
    }
  }
  if (!group.is_run()) {
    std::vector<ValueList> values;
    for (const auto& value : first.regions) values.push_back({{value}, true});
    return add_word(first, std::move(values), collected);
  }
  auto word = group.words.begin();
  for (const std::size_t length : group.lists) {
    ValueList list{{}, true};
    for (std::size_t i = 0; i < length; ++i) list.items.push_back((*word++)->regions.front());
    std::vector<ValueList> values;
    values.push_back(std::move(list));
    const auto added = add_word(first, std::move(values), collected);
    if (!added) return added.error();
  }
  return Unit{};
}

// "1 2 3 ... 100"
inline std::string list_text(const WordGroup& group, std::size_t first, std::size_t length) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    if (length > kShown && i == 3) {
      text += " ...";
      i = length - 1;
    }
    text += (i == 0 ? "" : " ") + group.words[first + i]->regions.front();
  }
  return text;
}

inline std::string describe_lists(const std::vector<WordGroup>& groups) {
  std::string texts;
  std::string sizes;
  std::size_t count = 0;
  for (const auto& group : groups) {
    std::size_t first = 0;
    for (const std::size_t length : group.lists) {
      texts += (count == 0 ? "" : " | ") + list_text(group, first, length);
      sizes += (count == 0 ? "" : " x ") + std::to_string(length);
      first += length;
      ++count;
    }
  }
  if (count == 0) return {};
  return "bash expanded the braces; read as " + std::to_string(count) + (count == 1 ? " list: " : " lists: ") + texts +
         " (quote 'span:{...}' to be sure), " + sizes + " values";
}

inline Status check_runs(const std::vector<WordGroup>& groups, const Argv& typed_before) {
  for (const auto& group : groups) {
    if (group.fault.empty()) continue;
    std::string run;
    for (std::size_t i = 0; i < group.words.size() && run.size() < 200; ++i)
      run += " " + std::string(group.words[i]->word);
    Argv command = typed_before;
    for (auto& word : suggest_words(groups)) command.push_back(std::move(word));
    return Error{Errc::parse, "bash expanded the braces into" + run + ", which cannot be read back: " + group.fault +
                                  "; quote the spans: " + shell_quote(command)};
  }
  return Unit{};
}

}  // namespace sweep_words_detail

// `typed_before` is what the user typed before these words; only the message that gives the command quoted needs it.
inline Result<SweepWords> parse_sweep(const Argv& words, SweepOrder order = SweepOrder::first_slowest,
                                      const Argv& typed_before = {}) {
  std::vector<CutWord> cut_words;
  Argv plain_words;
  for (const auto& word : words) {
    auto cut = cut_word(word);
    if (!cut) return cut.error();
    if (!cut->regions.empty() && cut->skeleton.size() == cut->regions.size()) plain_words.push_back(word);
    cut_words.push_back(std::move(*cut));
  }
  const auto groups = group_words(cut_words);
  const auto readable = sweep_words_detail::check_runs(groups, typed_before);
  if (!readable) return readable.error();

  sweep_words_detail::Collected collected;
  for (const auto& group : groups) {
    const auto added = sweep_words_detail::add_group(group, collected);
    if (!added) return added.error();
  }
  auto sweep = Sweep::over(std::move(collected.axes), order);
  if (!sweep) return sweep.error();
  return SweepWords{CommandSweep(collected.words, std::move(*sweep)), sweep_words_detail::describe_lists(groups),
                    std::move(plain_words)};
}

}  // namespace v1
}  // namespace hakuriver
