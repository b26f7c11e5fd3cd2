// A plan: the commands that a backend is to execute, in order, each made when it is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/axis.hpp"

namespace hakuriver {
inline namespace v1 {

// One thing that varies, and the value it has in one combination.
struct Parameter {
  std::string name;
  Value value;
  bool operator==(const Parameter&) const = default;
};

inline constexpr std::string_view kParameterVariable = "HAKURUN_PARAM_";

// Appends the name of the variable in which a command finds the parameter of that name: with _ for whatever is not an
// ASCII letter or digit.
inline void append_parameter_variable(std::string_view parameter, std::string& text) {
  text += kParameterVariable;
  for (const char c : parameter) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    text += plain ? c : '_';
  }
}

// Where a command holds kSlotMark, for which the number of its slot is to be put when it starts.
struct SlotPlace {
  std::size_t word = 0;  // of argv; behind those come the entries of the environment, then the working directory
  std::size_t offset = 0;
  bool operator==(const SlotPlace&) const = default;
};

inline constexpr std::string_view kSlotMark = "{%}";

struct Command {
  Argv argv;
  std::vector<std::string> environment;  // "NAME=value", in addition to the backend's and stronger than it
  std::string working_directory;         // empty: the backend's own
  std::vector<Parameter> parameters;     // in the order of the sweep's axes
  std::string name;  // stable: made of the parameters, "lr=0.1,batch=32"; empty where there are none
  std::vector<SlotPlace> slot_places{};  // in the order of the words, and of the text in a word
};

// Puts the slot's number, from 1, where the command wants it.
inline void fill_slot(Command& command, std::uint32_t slot) {
  const std::string number = std::to_string(slot);
  const auto word_at = [&command](std::size_t word) -> std::string& {
    if (word < command.argv.size()) return command.argv[word];
    word -= command.argv.size();
    return word < command.environment.size() ? command.environment[word] : command.working_directory;
  };
  for (auto place = command.slot_places.rbegin(); place != command.slot_places.rend(); ++place) {
    word_at(place->word).replace(place->offset, kSlotMark.size(), number);
  }
  command.slot_places.clear();
}

// Backends ask for commands one by one and may ask for one again. at() is called with i < size() only, and gives the
// same command each time.
class Plan {
 public:
  virtual ~Plan() = default;
  virtual std::uint64_t size() const = 0;
  virtual Command at(std::uint64_t i) const = 0;
};

}  // namespace v1
}  // namespace hakuriver
