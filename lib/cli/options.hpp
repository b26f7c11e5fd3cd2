// Reading a command line by a table of options, shared by our programs.
//
//   constexpr Option kOptions[] = {{.name = "cores", .value = "N", .help = "logical CPUs"}, {.name = "wait"}};
//   const auto line = parse_options(kOptions, {"--cores", "4", "--", "echo", "--wait"});
//   line->find("cores")->value == "4", line->rest == {"echo", "--wait"}
//
// "--name value" and "--name=value" are the same; names are never abbreviated. The first word that is no option, or
// the first "--", ends the options: everything after it is left untouched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver::cli {

enum class Arity : std::uint8_t {
  flag,      // takes nothing
  value,     // takes the next word
  optional,  // takes the next word unless that begins with '-'
};

struct Option {
  std::string_view name;  // without its dashes
  char letter = 0;        // a short form; 0: none
  std::string_view value = {};
  std::string_view help = {};
  std::string_view group = {};     // a heading of the help
  bool is_value_optional = false;  // only with `value`

  constexpr Arity arity() const noexcept {
    if (value.empty()) return Arity::flag;
    return is_value_optional ? Arity::optional : Arity::value;
  }
};

struct GivenOption {
  std::string_view name;
  std::string value;
  bool has_value = false;
};

struct CommandLine {
  std::vector<GivenOption> options;  // in order
  std::vector<std::string> rest;     // the command and its arguments
  bool is_separated = false;         // "--" stood before the rest

  bool has(std::string_view name) const noexcept { return find(name) != nullptr; }
  // The last one given; null: not given.
  const GivenOption* find(std::string_view name) const noexcept;
  std::vector<std::string> values(std::string_view name) const;
};

// Errc::invalid_argument, in one line, for an unknown option (with the nearest one there is) or a missing value.
Result<CommandLine> parse_options(std::span<const Option> table, std::span<const std::string> words);

// The nearest of `names` to a misspelt one; empty: none is near.
std::string_view nearest_name(std::string_view wrong, std::span<const std::string_view> names);

// The table as the lines of a help text, under its groups' headings, within 80 columns.
std::string describe_options(std::span<const Option> table);

}  // namespace hakuriver::cli
