#include "cli/runner_dry_run.hpp"

#include <charconv>
#include <cstdint>
#include <string>

#include "hakuriver/numactl.hpp"
#include "hakuriver/resources.hpp"
#include "hakuriver/systemd_run.hpp"

namespace hakuriver::cli {
namespace {

Error bad(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

Result<std::uint64_t> value_of(const CommandLine& line, const char* name,
                               Result<std::uint64_t> (*parse)(std::string_view), std::uint64_t otherwise) {
  const auto* given = line.find(name);
  if (given == nullptr) return otherwise;
  auto value = parse(given->value);
  if (!value) return bad("--" + std::string(name) + ": " + value.error().message);
  return value;
}

Result<Argv> bound(const CommandLine& line, const Config& config) {
  const auto* given = line.find("numa");
  if (given == nullptr) return line.rest;
  std::uint32_t node = 0;
  const auto& text = given->value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), node);
  if (error != std::errc() || end != text.data() + text.size()) {
    return bad("--numa '" + text + "': expected the number of a NUMA node");
  }
  const std::string& numactl = config.paths.numactl_path;
  return build_numactl(line.rest, node, numactl.empty() ? "numactl" : numactl);
}

}  // namespace

Result<Argv> build_dry_run(const CommandLine& line, const Config& config, bool has_systemd, bool is_root) {
  if (line.rest.empty()) return bad("--dry-run: expected a command behind '--'");
  const auto millicores = value_of(line, "cores", parse_cores, 1000);
  if (!millicores) return millicores.error();
  const auto memory = value_of(line, "memory", parse_memory, 0);
  if (!memory) return memory.error();
  auto command = bound(line, config);
  if (!command) return command;
  const auto& launcher = config.runner.launcher;
  const bool is_unit = launcher == "systemd" || (launcher == "auto" && has_systemd);
  if (!is_unit) return command;
  SystemdRun run;
  if (!is_root) run.in_front = {"sudo", "-n"};
  SystemdUnit unit;
  unit.name = "hakuriver-task-0";
  unit.description = "task 0: " + shell_quote(line.rest);
  unit.millicores = *millicores;
  unit.memory_bytes = *memory;
  return build_systemd_scope(run, unit, *command);
}

}  // namespace hakuriver::cli
