// A plan: the commands that a backend is to execute, in order, each made when it is asked for.
#pragma once

#include <cstdint>
#include <string>
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

struct Command {
  Argv argv;
  std::vector<std::string> environment;  // "NAME=value", in addition to the backend's and stronger than it
  std::string working_directory;         // empty: the backend's own
  std::vector<Parameter> parameters;     // in the order of the sweep's axes
  std::string name;  // stable: made of the parameters, "lr=0.1,batch=32"; empty where there are none
};

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
