// Plans for the engine's tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/plan.hpp"

namespace hakuriver::test {

class CommandList : public Plan {
 public:
  explicit CommandList(std::vector<Command> commands) : commands_(std::move(commands)) {}
  std::uint64_t size() const override { return commands_.size(); }
  Command at(std::uint64_t i) const override { return commands_[static_cast<std::size_t>(i)]; }

 private:
  std::vector<Command> commands_;
};

// The same shell script for each of $1 = 0, 1, ...
class Script : public Plan {
 public:
  Script(std::string text, std::uint64_t size) : text_(std::move(text)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Command at(std::uint64_t i) const override {
    Command command;
    command.argv = {"sh", "-c", text_, "sh", std::to_string(i)};
    return command;
  }

 private:
  std::string text_;
  std::uint64_t size_;
};

// The same with names and one parameter: "n=0", "n=1", ...
class NamedScript : public Script {
 public:
  using Script::Script;
  Command at(std::uint64_t i) const override {
    Command command = Script::at(i);
    command.parameters = {{"n", {std::to_string(i), true}}};
    command.name = "n=" + std::to_string(i);
    return command;
  }
};

}  // namespace hakuriver::test
