// What hakurun's first word stands for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/axis.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::cli {

struct Program {
  enum class Kind : std::uint8_t { executable, module, function };
  Kind kind = Kind::executable;
  std::string name;      // executable: what to execute; module, function: the module's dotted name
  std::string function;  // its dotted path in the module
  std::string python;    // module, function: what runs them
};

// What to execute for a combination; its first value is the word that `program` was found for.
Argv build_argv(const Program& program, const std::vector<Value>& values);

// Looks programs up, each word once: an executable on PATH or a path wins over a Python module of that name.
class ProgramFinder {
 public:
  // `say` gets one line when `python` has to be replaced.
  ProgramFinder(std::string path, std::string python, std::function<void(std::string_view)> say);

  // not_found or denied where it is neither; the message says what to do. Whether a module exists is asked of Python.
  const Result<Program>& find(const std::string& word);

 private:
  Result<Program> look_up(const std::string& word);
  Result<Program> look_up_path(const std::string& word) const;
  Result<Program> look_up_module(const std::string& word);
  std::optional<std::string> find_python() const;

  std::string path_;
  std::string python_;
  std::function<void(std::string_view)> say_;
  std::map<std::string, Result<Program>, std::less<>> found_;
};

}  // namespace hakuriver::cli
