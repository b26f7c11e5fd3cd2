#include "cli/docker_containers.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "cli/table.hpp"
#include "container/child.hpp"
#include "engine/program_path.hpp"
#include "hakuriver/docker_run.hpp"
#include "hakuriver/environment.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{30'000};
constexpr const char* kPrefix = "hakuriver-env-";
// A line for each container; no field but the last can have a tab in it.
constexpr const char* kFormat =
    "{{.Name}}\t{{.State.Status}}\t{{.Config.Image}}\t{{.Image}}\t{{index .Config.Labels \"hakuriver.environment\"}}";

std::string_view value_of(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string_view entry : environment) {
    if (entry.starts_with(name) && entry.substr(name.size()).starts_with('=')) return entry.substr(name.size() + 1);
  }
  return {};
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const auto end = line.find('\t');
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

// What the program said, without its name and the daemon's.
std::string cut_prefix(std::string line) {
  for (const std::string_view prefix : {"docker: ", "Error response from daemon: ", "Error: "}) {
    if (line.starts_with(prefix)) line.erase(0, prefix.size());
  }
  return line;
}

bool is_missing(std::string_view line) {
  return line.find("o such container") != std::string_view::npos ||
         line.find("o such object") != std::string_view::npos || line.find("o such image") != std::string_view::npos ||
         line.find("no container with name") != std::string_view::npos;
}

// Empty where it answers.
std::string why_silent(const std::string& program, const std::vector<std::string>& environment) {
  const auto end = container::run_child({{program, "ps", "--quiet"}, environment, kPatience});
  if (!end) return end.error().message;
  if (end->exit_code == 0) return {};
  return end->first_error.empty() ? "exits with status " + std::to_string(end->exit_code) : end->first_error;
}

Result<std::string> run(const container::ChildRequest& request) {
  auto end = container::run_child(request);
  if (!end) return end.error();
  if (end->exit_code == 0) return std::move(end->output);
  std::string line = cut_prefix(std::move(end->first_error));
  if (line.empty()) line = "'" + request.argv[0] + "' ended with status " + std::to_string(end->exit_code);
  return Error{is_missing(line) ? Errc::not_found : Errc::io, std::move(line)};
}

}  // namespace

std::string container_of(const std::string& name) { return kPrefix + name; }

bool is_daemon_absent(std::string_view error) {
  const auto has = [error](std::string_view text) { return error.find(text) != std::string_view::npos; };
  const bool is_unanswered = has("annot connect to the Docker daemon") || has("ailed to connect to the docker API");
  return is_unanswered && has("unix://") && !has("ermission denied");
}

Result<DockerProgram> DockerProgram::find(const std::vector<std::string>& environment) {
  const std::string_view told = value_of(environment, "PATH");
  const std::string path(told.empty() ? "/usr/local/bin:/usr/bin:/bin" : told);
  const bool is_told =
      !value_of(environment, "DOCKER_HOST").empty() || !value_of(environment, "DOCKER_CONTEXT").empty();
  const auto docker = engine::find_program("docker", path);
  std::string reason;
  if (docker) {
    reason = why_silent(*docker, environment);
    if (reason.empty()) return DockerProgram(*docker, environment, {});
    reason = "docker: " + reason;
    if (is_told || !is_daemon_absent(reason)) return Error{Errc::unavailable, reason};
  } else if (is_told) {
    return Error{Errc::unavailable, "docker is not on the PATH, but DOCKER_HOST or DOCKER_CONTEXT is set"};
  }
  const auto podman = engine::find_program("podman", path);
  if (!podman) return Error{Errc::unavailable, docker ? reason : "neither docker nor podman is on the PATH"};
  const std::string silent = why_silent(*podman, environment);
  if (silent.empty()) return DockerProgram(*podman, environment, docker ? reason + "; podman is used" : "");
  return Error{Errc::unavailable, docker ? reason : "podman: " + silent};
}

Argv DockerProgram::argv(Argv words) const {
  words.insert(words.begin(), program_);
  return words;
}

Result<std::string> DockerProgram::ask(Argv words, bool is_apart) const {
  container::ChildRequest request{argv(std::move(words)), environment_, {}};
  request.is_apart = is_apart;
  return run(request);
}

Status DockerProgram::ask_into(Argv words, int output_file) const {
  container::ChildRequest request{argv(std::move(words)), environment_, {}};
  request.output_file = output_file;
  request.ends_with_us = true;
  const auto done = run(request);
  return done ? Status(Unit{}) : done.error();
}

Result<EnvironmentContainer> DockerProgram::inspect(const std::string& name) const {
  const auto text = ask({"container", "inspect", "--format", kFormat, container_of(name)});
  if (!text && text.error().code == Errc::not_found) {
    return Error{Errc::not_found,
                 "environment '" + name + "' has no container on this machine: hakuriver.docker create makes one"};
  }
  if (!text) return text.error();
  auto found = parse_inspected(*text);
  if (!found.empty()) return std::move(found.front());
  return Error{Errc::conflict, "container '" + container_of(name) + "' is somebody else's: it has no label " +
                                   kEnvironmentLabel + "=" + name};
}

Result<std::vector<EnvironmentContainer>> DockerProgram::list() const {
  constexpr int kTries = 5;
  for (int tries = 1;; ++tries) {
    const auto ids = ask({"ps", "--all", "--quiet", "--filter", std::string("label=") + kEnvironmentLabel});
    if (!ids) return ids.error();
    Argv words{"container", "inspect", "--format", kFormat};
    for (std::size_t at = 0; at < ids->size();) {
      const auto end = std::min(ids->find('\n', at), ids->size());
      if (end > at) words.push_back(ids->substr(at, end - at));
      at = end + 1;
    }
    if (words.size() == 4) return std::vector<EnvironmentContainer>{};
    const auto text = ask(std::move(words));
    if (text) return parse_inspected(*text);
    if (text.error().code != Errc::not_found || tries == kTries) return text.error();  // one went meanwhile
  }
}

Argv build_environment_words(const std::string& name, const std::string& image, const std::string& shared_data) {
  return {"create", "--init", std::string("--label=") + kEnvironmentLabel + "=" + name, "--name=" + container_of(name),
          "--mount", docker_run_detail::mount_words({shared_data, "/shared", false}),
          // An entrypoint of ours would become that of an image that is made of it, where the base has none.
          "--entrypoint=", image, "sleep", "infinity"};
}

Argv build_commit_words(const std::string& name, const std::string& image, const std::string& entrypoint,
                        const std::string& command) {
  const auto list = [](const std::string& json) { return json.starts_with('[') ? json : std::string("[]"); };
  // A container of the image is not the environment's.
  return {"commit",
          "--change",
          "ENTRYPOINT " + list(entrypoint),
          "--change",
          "CMD " + list(command),
          "--change",
          std::string("LABEL ") + kEnvironmentLabel + "=",
          container_of(name),
          image};
}

Argv build_shell_words(const std::string& name, const Argv& command, bool is_terminal, const std::string& terminal) {
  Argv words{"exec", "--interactive", "--user=0:0"};
  if (is_terminal) words.emplace_back("--tty");
  if (is_terminal && !terminal.empty()) words.insert(words.end(), {"--env", "TERM=" + terminal});
  words.push_back(container_of(name));
  const Argv shell{"sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; fi; exec sh"};
  const Argv& run = command.empty() ? shell : command;
  words.insert(words.end(), run.begin(), run.end());
  return words;
}

std::vector<EnvironmentContainer> parse_inspected(const std::string& text) {
  std::vector<EnvironmentContainer> found;
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto fields = fields_of(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (fields.size() != 5 || !is_environment_name(fields[4])) continue;
    std::string_view name = fields[0];
    if (name.starts_with('/')) name.remove_prefix(1);
    if (name != container_of(std::string(fields[4]))) continue;
    found.push_back({std::string(fields[4]), std::string(fields[1]), std::string(fields[2]), std::string(fields[3])});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

}  // namespace hakuriver::cli
