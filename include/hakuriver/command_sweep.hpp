// A command whose words hold axes: a sweep, and for each of its combinations an argv.
//
// parse_sweep() in sweep_words.hpp makes one from words with spans; other grammars make their own words and axes.
#pragma once

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

namespace hakuriver {
inline namespace v1 {

// A part of a word: fixed text, or the value of one of the sweep's axes.
struct WordPiece {
  std::string text;
  std::optional<std::size_t> axis;  // where it is set, `text` means nothing
};

using WordTemplate = std::vector<WordPiece>;

// Constant once made: any thread may read it.
class CommandSweep {
 public:
  // Every axis number in `words` is below sweep.axes().size().
  CommandSweep(std::vector<WordTemplate> words, Sweep sweep)
      : words_(std::move(words)), sweep_(std::move(sweep)), names_(name_axes()) {}

  const Sweep& sweep() const noexcept { return sweep_; }
  std::uint64_t size() const noexcept { return sweep_.size(); }

  // The words of the i-th combination; i < size().
  Argv at(std::uint64_t i) const {
    const auto positions = sweep_.positions(i);
    Argv argv(words_.size());
    for (std::size_t word = 0; word < words_.size(); ++word) append(words_[word], positions, argv[word]);
    return argv;
  }

  // The same with types: a word that is one axis and nothing else has its value's type, any other is text.
  std::vector<Value> values_at(std::uint64_t i) const {
    const auto positions = sweep_.positions(i);
    std::vector<Value> values(words_.size());
    for (std::size_t word = 0; word < words_.size(); ++word) {
      const bool integer = append(words_[word], positions, values[word].text);
      values[word].is_integer = integer && words_[word].size() == 1;
    }
    return values;
  }

  // What varies. An axis is named after the option that it belongs to (lr in --lr=... and in --lr ...), else by its
  // number from 1.
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
    std::string program;
    for (const auto& piece : words_.front()) {
      if (piece.axis && sweep_.axes()[*piece.axis].size() != 1) return std::nullopt;
      append_piece(piece, 0, program);
    }
    return program;
  }

 private:
  bool append_piece(const WordPiece& piece, std::uint64_t position, std::string& text) const {
    if (piece.axis) return sweep_.axes()[*piece.axis].append(position, text);
    text += piece.text;
    return false;
  }

  // Tells whether the last piece was a whole number.
  bool append(const WordTemplate& word, const std::vector<std::uint64_t>& positions, std::string& text) const {
    bool integer = false;
    for (const auto& piece : word) integer = append_piece(piece, piece.axis ? positions[*piece.axis] : 0, text);
    return integer;
  }

  std::vector<std::string> name_axes() const {
    std::vector<std::string> names(sweep_.axes().size());
    for (std::size_t axis = 0; axis < names.size(); ++axis) names[axis] = std::to_string(axis + 1);
    std::string_view option;
    for (const auto& word : words_) {
      const bool starts_fixed = !word.empty() && !word.front().axis;
      const std::string_view text = starts_fixed ? std::string_view(word.front().text) : std::string_view();
      const bool dashed = text.size() > 1 && text.front() == '-';
      if (dashed && word.size() > 1 && text.back() == '=') {
        names[*word[1].axis] = without_dashes(text.substr(0, text.size() - 1));
      } else if (word.size() == 1 && !starts_fixed && !option.empty()) {
        names[*word.front().axis] = without_dashes(option);
      }
      option = dashed && word.size() == 1 && text.find('=') == std::string_view::npos ? text : std::string_view();
    }
    return names;
  }

  static std::string without_dashes(std::string_view option) {
    const auto name = option.find_first_not_of('-');
    return std::string(name == std::string_view::npos ? option : option.substr(name));
  }

  std::vector<WordTemplate> words_;
  Sweep sweep_;
  std::vector<std::string> names_;
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
    return command;
  }

 private:
  CommandSweep sweep_;
};

}  // namespace v1
}  // namespace hakuriver
