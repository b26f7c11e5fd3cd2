// The command line of hakuriver-systemd: a task as a transient unit of systemd.
//
//   hakuriver-systemd --unit NAME --exec FILE --directory DIR [OPTIONS] run -- COMMAND...
//   hakuriver-systemd --unit NAME --directory DIR [OPTIONS] pause | resume | terminate | kill | finish
//
// The environment of the task comes with an "@" in front of each name, so that none of it means anything to programs
// that are not the task's: run as root, they must not load what a task names.
#pragma once

#include <cstdint>
#include <string>

#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"
#include "launch/exec_options.hpp"

namespace hakuriver::systemd {

struct Options {
  std::string unit{};                                // --unit: with its suffix, which says scope or service
  std::string directory{};                           // --directory: for files that live as long as the task, mode 0700
  std::string exec{};                                // --exec: hakuriver-exec
  std::string description{};                         // --description
  std::string working_directory{};                   // --working-directory: entered by the task's user; empty: ours
  std::uint64_t millicores = 0;                      // --millicores; 0: no quota
  std::uint64_t memory_bytes = 0;                    // --memory-bytes; 0: no limit
  std::uint32_t version = 0;                         // --systemd-version; 0: not known
  bool user_manager = false;                         // --user-manager: of the user that this process is
  std::string sudo{};                                // --sudo: the program that asks the manager for us; empty: none
  std::string systemd_run = "/usr/bin/systemd-run";  // --systemd-run
  std::string systemctl = "/usr/bin/systemctl";      // --systemctl
  bool no_bus = false;                               // --no-bus: a scope by systemd-run, too
  std::string verb{};
  launch::ExecOptions task{};  // what hakuriver-exec is asked for, in its own words; `command` for run only
  bool operator==(const Options&) const = default;

  bool is_scope() const { return unit.ends_with(".scope"); }
  // Where what belongs to the unit is kept: "<directory>/<unit><suffix>".
  std::string file(const std::string& suffix) const { return directory + "/" + unit + suffix; }
};

// The words behind the program's name.
Result<Options> parse_options(const Argv& words);

// The words that parse_options reads as these; of a control verb's options there are fewer, and the verb is left to
// whoever appends it.
Argv build_run_words(const Options& options);
Argv build_control_words(const Options& options);

}  // namespace hakuriver::systemd
