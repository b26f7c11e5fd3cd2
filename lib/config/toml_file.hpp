// A TOML file taken apart into settings. Behind this header is the only place that knows the TOML library.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/setting.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::config {

// Everything in the file, ordered by line. What is outside of any section has an empty section.
struct Setting {
  std::string section;
  std::string name;
  Given value;
  std::size_t line = 0;    // from 1
  bool is_header = false;  // the line of the section itself, without name and value
};

// `name` stands in front of errors: "config.toml:12: missing key-value separator `=`".
Result<std::vector<Setting>> parse_toml(const std::string& text, const std::string& name);

}  // namespace hakuriver::config
