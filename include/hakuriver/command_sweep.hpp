// A command whose words hold axes: a sweep, and for each of its combinations an argv.
//
// parse_sweep() in sweep_words.hpp makes one from words with spans; other grammars make their own words and axes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/plan.hpp"
#include "hakuriver/sweep.hpp"
#include "hakuriver/word_template.hpp"

namespace hakuriver {
inline namespace v1 {

// Constant once made: any thread may read it.
class CommandSweep {
 public:
  // Every axis number in `words` is below sweep.axes().size(). Placeholders in the words' texts become pieces.
  CommandSweep(const std::vector<WordTemplate>& words, Sweep sweep)
      : sweep_(std::move(sweep)),
        names_(name_axes(words, sweep_.axes().size())),
        words_(with_placeholders(words, names_)) {}

  // The same of words whose texts are only texts, and with the axes' names, as words() and names() have them.
  CommandSweep(std::vector<WordTemplate> words, std::vector<std::string> names, Sweep sweep)
      : sweep_(std::move(sweep)), names_(std::move(names)), words_(std::move(words)) {}

  const Sweep& sweep() const noexcept { return sweep_; }
  std::uint64_t size() const noexcept { return sweep_.size(); }

  // The axes' names (name_axes).
  const std::vector<std::string>& names() const noexcept { return names_; }

  // With their placeholders as pieces.
  const std::vector<WordTemplate>& words() const noexcept { return words_; }

  bool operator==(const CommandSweep&) const = default;

  // The words of the i-th combination; i < size(). Where the number of a slot is wanted they have kSlotMark.
  Argv at(std::uint64_t i) const {
    const Combination combination{i, sweep_.positions(i)};
    Argv argv(words_.size());
    for (std::size_t word = 0; word < words_.size(); ++word) append(words_[word], combination, argv[word]);
    return argv;
  }

  // The same as one line for a shell: the words joined by blanks as they are, with the spans' values quoted. Where
  // `slots` is given, it gets the places of the slot's marks in the line.
  std::string shell_line_at(std::uint64_t i, std::vector<std::size_t>* slots = nullptr) const {
    const Combination combination{i, sweep_.positions(i)};
    std::string line;
    for (const auto& word : words_) {
      if (&word != &words_.front()) line += ' ';
      for (const auto& piece : word) {
        if (piece.run_word == RunWord::slot && slots != nullptr) slots->push_back(line.size());
        std::string text;
        append_piece(piece, combination, text);
        line += piece.axis ? shell_quote(text) : text;
      }
    }
    return line;
  }

  // The same as a sweep: each combination's command is /bin/sh with -c and its line.
  CommandSweep as_shell_lines() const {
    WordTemplate line;
    const auto add = [&line](WordPiece piece) {
      piece.is_quoted = piece.axis.has_value();
      if (piece.is_text() && !line.empty() && line.back().is_text()) {
        line.back().text += piece.text;
      } else {
        line.push_back(std::move(piece));
      }
    };
    for (const auto& word : words_) {
      if (&word != &words_.front()) add({" ", std::nullopt, RunWord::none});
      for (const auto& piece : word) add(piece);
    }
    const auto fixed = [](const char* text) { return WordTemplate{{text, std::nullopt, RunWord::none}}; };
    return {{fixed("/bin/sh"), fixed("-c"), std::move(line)}, names_, sweep_};
  }

  // Where at() has those marks.
  std::vector<SlotPlace> slot_places_at(std::uint64_t i) const {
    std::vector<SlotPlace> places;
    for (std::size_t word = 0; word < words_.size(); ++word) {
      if (!wants_slot(words_[word])) continue;
      const Combination combination{i, sweep_.positions(i)};
      std::string text;
      for (const auto& piece : words_[word]) {
        if (piece.run_word == RunWord::slot) places.push_back({word, text.size()});
        append_piece(piece, combination, text);
      }
    }
    return places;
  }

  // A text beside the words (a variable, a directory), with its placeholders as pieces.
  WordTemplate template_of(std::string_view text) const {
    const WordTemplate plain{{std::string(text), std::nullopt, RunWord::none}};
    return with_placeholders({plain}, names_).front();
  }

  // That text for the i-th combination. `slots` gets the places of the slot's marks in it.
  std::string fill(const WordTemplate& text, std::uint64_t i, std::vector<std::size_t>& slots) const {
    const Combination combination{i, sweep_.positions(i)};
    std::string filled;
    for (const auto& piece : text) {
      if (piece.run_word == RunWord::slot) slots.push_back(filled.size());
      append_piece(piece, combination, filled);
    }
    return filled;
  }

  // The words with types: a word that is one axis and nothing else has its value's type, any other is text.
  std::vector<Value> values_at(std::uint64_t i) const {
    const Combination combination{i, sweep_.positions(i)};
    std::vector<Value> values(words_.size());
    for (std::size_t word = 0; word < words_.size(); ++word) {
      const bool integer = append(words_[word], combination, values[word].text);
      values[word].is_integer = integer && words_[word].size() == 1;
    }
    return values;
  }

  // What varies.
  std::vector<Parameter> parameters_at(std::uint64_t i) const {
    const auto positions = sweep_.positions(i);
    std::vector<Parameter> parameters;
    for (std::size_t axis = 0; axis < positions.size(); ++axis) {
      parameters.push_back({names_[axis], sweep_.axes()[axis].at(positions[axis])});
    }
    return parameters;
  }

  // The first word of all combinations, where it is fixed.
  std::optional<std::string> fixed_program() const {
    if (words_.empty()) return std::nullopt;
    const Combination first{0, std::vector<std::uint64_t>(sweep_.axes().size(), 0)};
    std::string program;
    for (const auto& piece : words_.front()) {
      if (piece.axis ? sweep_.axes()[*piece.axis].size() != 1 : !piece.is_text()) return std::nullopt;
      append_piece(piece, first, program);
    }
    return program;
  }

 private:
  struct Combination {
    std::uint64_t index;
    std::vector<std::uint64_t> positions;
  };

  static bool wants_slot(const WordTemplate& word) {
    return std::any_of(word.begin(), word.end(), [](const WordPiece& it) { return it.run_word == RunWord::slot; });
  }

  // Tells whether it stands for a whole number.
  bool append_piece(const WordPiece& piece, const Combination& combination, std::string& text) const {
    if (piece.axis && piece.is_quoted) {
      std::string value;
      sweep_.axes()[*piece.axis].append(combination.positions[*piece.axis], value);
      text += shell_quote(value);
      return false;
    }
    if (piece.axis) return sweep_.axes()[*piece.axis].append(combination.positions[*piece.axis], text);
    switch (piece.run_word) {
      case RunWord::none:
        text += piece.text;
        return false;
      case RunWord::number:
        text += std::to_string(combination.index + 1);
        return true;
      case RunWord::slot:
        text += kSlotMark;
        return true;
    }
    return false;
  }

  // Tells whether the last piece stands for a whole number.
  bool append(const WordTemplate& word, const Combination& combination, std::string& text) const {
    bool integer = false;
    for (const auto& piece : word) integer = append_piece(piece, combination, text);
    return integer;
  }

  Sweep sweep_;
  std::vector<std::string> names_;
  std::vector<WordTemplate> words_;
};

// "lr=0.1,batch=32": the same for the same parameters, whatever the rest of the sweep is.
inline std::string name_of(const std::vector<Parameter>& parameters) {
  std::string name;
  for (const auto& parameter : parameters) {
    if (!name.empty()) name += ',';
    name += parameter.name + '=' + parameter.value.text;
  }
  return name;
}

// A sweep of one command as a plan.
class SweepPlan : public Plan {
 public:
  explicit SweepPlan(CommandSweep sweep) : sweep_(std::move(sweep)) {}

  std::uint64_t size() const override { return sweep_.size(); }

  Command at(std::uint64_t i) const override {
    Command command;
    command.argv = sweep_.at(i);
    command.parameters = sweep_.parameters_at(i);
    command.name = name_of(command.parameters);
    command.slot_places = sweep_.slot_places_at(i);
    return command;
  }

 private:
  CommandSweep sweep_;
};

}  // namespace v1
}  // namespace hakuriver
