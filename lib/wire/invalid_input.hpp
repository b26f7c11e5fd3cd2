// What is wrong with a request, field by field, as FastAPI tells it: the form that clients and dashboards know.
//
//   {"detail":[{"loc":["body","targets",2],"msg":"must be text, not 7","type":"string_type"}]}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver::wire {

// A member's name or an array's index.
using PathStep = std::variant<std::string, std::size_t>;
using Path = std::vector<PathStep>;

struct FieldError {
  Path path;            // within the body; empty: the body itself
  std::string message;  // goes on from the field's name: "must be text, not 7"
  std::string type;     // a word for programs, such as "missing"
};

class InvalidInput {
 public:
  // Errors beyond the 20th are dropped.
  void add(Path path, std::string message, std::string type = "value_error");
  bool empty() const noexcept { return errors_.empty(); }
  const std::vector<FieldError>& errors() const noexcept { return errors_; }
  // The body of a reply with status 422.
  std::string body() const;
  // The first of them as one line: "'targets[2]' must be text, not 7".
  Error error() const;

 private:
  std::vector<FieldError> errors_;
};

}  // namespace hakuriver::wire
