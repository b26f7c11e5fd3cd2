// Every option of hakurun: one row serves the parser, the environment and --help.
#pragma once

#include <span>
#include <string_view>

#include "cli/hakurun_options.hpp"

namespace hakuriver::cli {

// A row has either a flag (and "--no-<name>" takes it back), or a setter and the name of its argument.
struct HakurunOption {
  char letter;  // 0: none
  std::string_view name;
  std::string_view alias;     // another long name; empty: none
  std::string_view argument;  // of a setter
  bool HakurunOptions::*flag;
  Status (*set)(HakurunOptions&, std::string_view);
  std::string_view help;  // one line, which --help breaks
  bool from_environment = true;
  bool can_be_negated = true;  // a flag
};

struct HakurunOptionGroup {
  std::string_view title;
  std::span<const HakurunOption> options;
};

std::span<const HakurunOptionGroup> hakurun_option_groups() noexcept;

}  // namespace hakuriver::cli
