// hakurun's command line: its own options, then the command. Options may also come from the environment.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "cli/cluster_options.hpp"
#include "cli/hakurun_values.hpp"
#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/run_options.hpp"

namespace hakuriver::cli {

// What --parallel stops at.
inline constexpr std::uint32_t kMostAtOnce = 1000;

struct HakurunOptions {
  // Instead of running
  bool dry_run = false;
  bool count = false;
  bool expand = false;
  bool help = false;
  bool version = false;

  // Which combinations; the rest is in run.selection
  bool zip = false;
  std::optional<std::uint64_t> seed;
  bool yes = false;

  // How
  bool parallel = false;
  std::optional<JobCount> jobs;
  bool shell = false;
  bool first_reads_stdin = false;
  bool slot_variables = true;
  bool jobserver = false;
  RunOptions run;  // without jobs and what belongs to its output, which hakurun sets by itself

  // Where
  bool to_cluster = false;
  ClusterOptions cluster;  // only with to_cluster

  // Output
  bool keep_order = false;
  bool tag = false;
  bool line_buffer = false;
  bool ungroup = false;
  std::optional<bool> progress;  // not set: on a terminal

  Argv typed_before;  // "hakurun" and its options, as typed
  Argv command;       // empty only with help and version
};

// A variable of the environment; nothing where it is not set.
using Environment = std::optional<std::string> (*)(const std::string& name);

std::optional<std::string> process_environment(const std::string& name);

// Options end at the first word that is none, or after "--". HAKURUN_<OPTION> in the environment gives an option that
// is not on the command line; `environment` may be null.
Result<HakurunOptions> parse_hakurun_options(std::span<const char* const> arguments, Environment environment = nullptr);

std::string hakurun_help();

}  // namespace hakuriver::cli
