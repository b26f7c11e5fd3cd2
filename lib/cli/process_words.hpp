// What a process was started with, as lists of words.
#pragma once

#include <string>
#include <vector>

namespace hakuriver::cli {

// The words after the program's name.
inline std::vector<std::string> words_of(int argc, const char* const* argv) {
  return argc < 1 ? std::vector<std::string>{} : std::vector<std::string>(argv + 1, argv + argc);
}

// "NAME=value" each; `environment` ends with a null pointer, as environ(7) does.
inline std::vector<std::string> environment_of(const char* const* environment) {
  std::vector<std::string> variables;
  for (; environment != nullptr && *environment != nullptr; ++environment) variables.emplace_back(*environment);
  return variables;
}

}  // namespace hakuriver::cli
