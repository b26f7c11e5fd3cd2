#include "container/program.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <functional>
#include <string_view>
#include <utility>

#include "container/task_run.hpp"

namespace hakuriver::container {
namespace {

constexpr int kOwnFault = 125;
constexpr int kEngineFault = 1;

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

int fail(int status, const std::string& message) {
  write_all(STDERR_FILENO, "hakuriver-container: " + message + "\n");
  return status;
}

Result<std::unique_ptr<Engine>> open_engine(const Options& options) {
  if (!options.socket.empty()) return open_api_engine(options.socket);
  return open_command_engine({options.program, {}, {}}, options.state);
}

// The keeper has opened it; the container's own init opens it again.
std::string path_of(int file) {
  std::array<char, PATH_MAX> path;
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  return size > 0 && path[0] == '/' ? std::string(path.data(), static_cast<std::size_t>(size)) : std::string();
}

// Whoever is to write into them must be able to open them.
Status give_streams(const Options& options) {
  if (::geteuid() == options.uid) return Unit{};
  for (const int file : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::fchown(file, options.uid, options.gid) != 0) {
      return Error{Errc::denied, "the output files cannot be given to user " + options.container.user};
    }
  }
  return Unit{};
}

int refuse(TaskFiles& files, int error, const std::string& message) {
  if (const auto noted = files.note_failure(error, message); !noted) return fail(kOwnFault, noted.error().message);
  return fail(kOwnFault, message);
}

int run(const Options& options, TaskFiles& files) {
  remove_ends(options.state.substr(0, options.state.rfind('/')));
  if (const auto made = files.create(); !made) return fail(kOwnFault, made.error().message);
  const TaskStreams streams{path_of(STDOUT_FILENO), path_of(STDERR_FILENO)};
  if (streams.stdout_path.empty() || streams.stderr_path.empty()) {
    return refuse(files, EINVAL, "standard output and standard error are expected to be files");
  }
  if (const auto given = give_streams(options); !given) return refuse(files, EPERM, given.error().message);
  auto engine = open_engine(options);
  if (!engine) return refuse(files, EAGAIN, engine.error().message);
  remove_lost(**engine, options);
  const TaskEnd ended = run_task(**engine, options, files, streams, task_environment(::environ));
  return ended.message.empty() ? ended.exit_status : fail(ended.exit_status, ended.message);
}

// What never asked the engine for anything needs no engine to be finished.
int finish(const Options& options, const TaskFiles& files) {
  const auto tell = [](const std::string& lines) { return write_all(STDOUT_FILENO, lines); };
  auto engine = files.was_asked() ? open_engine(options) : Result<std::unique_ptr<Engine>>(std::unique_ptr<Engine>());
  if (!engine) return fail(kEngineFault, engine.error().message);
  const auto done = finish_task(engine->get(), options, files, tell);
  return done ? 0 : fail(kEngineFault, done.error().message);
}

int control(const Options& options, const TaskFiles& files) {
  auto engine = open_engine(options);
  if (!engine) return fail(kEngineFault, engine.error().message);
  const auto done = control_task(**engine, options, files);
  return done ? 0 : fail(kEngineFault, done.error().message);
}

}  // namespace

std::vector<std::string> task_environment(char* const* environment) {
  constexpr std::string_view kIdentity[] = {"HAKURIVER_TASK_ID=", "HAKURIVER_TASK_ATTEMPT="};
  const auto is_identity = [&](std::string_view entry) {
    return std::any_of(std::begin(kIdentity), std::end(kIdentity),
                       [entry](std::string_view name) { return entry.starts_with(name); });
  };
  std::vector<std::string> variables;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const bool is_task = entry.starts_with('@');
    if (is_identity(is_task ? entry.substr(1) : entry) ? is_task : !is_task) continue;
    variables.emplace_back(is_task ? entry.substr(1) : entry);
  }
  return variables;
}

int container_program(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto options = parse_options(Argv(argv + std::min(argc, 1), argv + argc));
  if (!options) return fail(kOwnFault, options.error().message);
  TaskFiles files(options->state);
  if (options->verb == "run") return run(*options, files);
  return options->verb == "finish" ? finish(*options, files) : control(*options, files);
}

}  // namespace hakuriver::container
