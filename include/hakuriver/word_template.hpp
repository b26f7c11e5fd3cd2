// Words of a command with gaps in them, which are filled for each combination.
//
//   {lr}   the value of the axis of that name; the axis may stand in another word: --lr=span:[0.1,0.2] --out
//   run-{lr}.txt
//   {#}    the combination's number in its sweep, from 1
//   {%}    the number of the slot that it runs in, from 1: no two commands that run at the same time share one
//
// Braces that hold anything else stay as they are, and so do those behind a '$', which mean something to shells. To
// hand on the text "{lr}" itself, write it as an item: "span:[{lr}]".
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hakuriver {
inline namespace v1 {

// What a gap is filled with where it is no axis.
enum class RunWord : std::uint8_t { none, number, slot };

// A part of a word: fixed text, the value of one of the sweep's axes, or what only the run knows.
struct WordPiece {
  std::string text;
  std::optional<std::size_t> axis;  // where it is set, `text` means nothing
  RunWord run_word = RunWord::none;
  bool is_quoted = false;  // the axis's value stands as a shell would need it typed

  bool is_text() const noexcept { return !axis && run_word == RunWord::none; }
  bool operator==(const WordPiece&) const = default;
};

using WordTemplate = std::vector<WordPiece>;

namespace word_template_detail {

constexpr bool is_name_character(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '.' ||
         c == '-' || static_cast<unsigned char>(c) >= 0x80;
}

// The name at the end of the text, without the dashes of an option; empty where there is none. A name does not begin
// with a digit: those are for axes without a name.
constexpr std::string_view name_at_end(std::string_view text) noexcept {
  std::size_t begin = text.size();
  while (begin > 0 && is_name_character(text[begin - 1])) --begin;
  text.remove_prefix(begin);
  const auto name = text.find_first_not_of("-.");
  if (name == std::string_view::npos || (text[name] >= '0' && text[name] <= '9')) return {};
  return text.substr(name);
}

// The option that the word is, if the next word may be its value.
constexpr std::string_view option_name(const WordTemplate& word) noexcept {
  if (word.size() != 1 || !word.front().is_text()) return {};
  const std::string_view text = word.front().text;
  const std::string_view name = name_at_end(text);
  const std::string_view dashes = text.substr(0, text.size() - name.size());
  return dashes == "-" || dashes == "--" ? name : std::string_view();
}

inline std::string make_unique(std::string name, const std::vector<std::string>& taken) {
  const auto is_taken = [&taken](const std::string& it) {
    return std::find(taken.begin(), taken.end(), it) != taken.end();
  };
  if (!is_taken(name)) return name;
  for (std::size_t count = 2;; ++count) {
    auto numbered = name + "_" + std::to_string(count);
    if (!is_taken(numbered)) return numbered;
  }
}

}  // namespace word_template_detail

// A name for each axis: lr for lr=span:..., --lr=span:... and --lr span:...; its number from 1 for one without. A name
// that comes again gets a number behind it: lr, lr_2.
inline std::vector<std::string> name_axes(const std::vector<WordTemplate>& words, std::size_t axes) {
  using namespace word_template_detail;
  std::vector<std::string> names(axes);
  for (std::size_t axis = 0; axis < axes; ++axis) names[axis] = std::to_string(axis + 1);
  std::string_view option;
  for (const auto& word : words) {
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (!word[i].axis) continue;
      std::string_view name = word.size() == 1 ? option : std::string_view();
      if (i > 0 && word[i - 1].is_text() && word[i - 1].text.back() == '=') {
        name = name_at_end(std::string_view(word[i - 1].text).substr(0, word[i - 1].text.size() - 1));
      }
      if (!name.empty()) names[*word[i].axis] = make_unique(std::string(name), names);
    }
    option = option_name(word);
  }
  return names;
}

namespace word_template_detail {

// What "{name}" stands for; nothing where it is only text.
inline std::optional<WordPiece> find_placeholder(std::string_view name, const std::vector<std::string>& names) {
  if (name == "#") return WordPiece{{}, std::nullopt, RunWord::number};
  if (name == "%") return WordPiece{{}, std::nullopt, RunWord::slot};
  const auto found = std::find(names.begin(), names.end(), name);
  const bool is_number = !name.empty() && name.front() >= '0' && name.front() <= '9';
  if (found == names.end() || is_number) return std::nullopt;
  return WordPiece{{}, static_cast<std::size_t>(found - names.begin()), RunWord::none};
}

inline void cut_text(std::string_view text, const std::vector<std::string>& names, WordTemplate& word) {
  std::size_t done = 0;
  for (auto open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
    const auto close = text.find('}', open);
    if (close == std::string_view::npos) break;
    if (open > 0 && text[open - 1] == '$') continue;
    auto placeholder = find_placeholder(text.substr(open + 1, close - open - 1), names);
    if (!placeholder) continue;
    if (open > done) word.push_back({std::string(text.substr(done, open - done)), std::nullopt, RunWord::none});
    word.push_back(std::move(*placeholder));
    done = close + 1;
    open = close;
  }
  if (done < text.size() || text.empty()) word.push_back({std::string(text.substr(done)), std::nullopt, RunWord::none});
}

}  // namespace word_template_detail

// The same words with their placeholders as pieces; `names` are those of the axes.
inline std::vector<WordTemplate> with_placeholders(const std::vector<WordTemplate>& words,
                                                   const std::vector<std::string>& names) {
  std::vector<WordTemplate> cut;
  for (const auto& word : words) {
    WordTemplate& pieces = cut.emplace_back();
    for (const auto& piece : word) {
      if (piece.is_text()) {
        word_template_detail::cut_text(piece.text, names, pieces);
      } else {
        pieces.push_back(piece);
      }
    }
  }
  return cut;
}

}  // namespace v1
}  // namespace hakuriver
