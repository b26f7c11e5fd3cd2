#include "container/task_run.hpp"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <system_error>
#include <thread>

#include "container/task_checks.hpp"

namespace hakuriver::container {
namespace {

constexpr const char* kInit = "/.hakuriver/init";
constexpr const char* kBin = "/.hakuriver/bin";
constexpr const char* kReport = "/.hakuriver/report";
constexpr const char* kStdout = "/.hakuriver/stdout";
constexpr const char* kStderr = "/.hakuriver/stderr";
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kNodeFault = 125;

// The errno by which the keeper knows whose fault it is: EACCES is the task's, EAGAIN the node's.
struct Failure {
  int error = EACCES;
  std::string message;
};

Failure engine_failure(const Error& error, const std::string& what) {
  const bool is_task = error.code == Errc::invalid_argument || error.code == Errc::parse;
  return {is_task ? EACCES : EAGAIN, what + ": " + error.message};
}

std::string_view value_of(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string_view entry : environment) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
  }
  return {};
}

// The task's own PATH, or the image's, with the directory of hakurun behind it.
std::vector<std::string> with_path(std::vector<std::string> environment, const Image& image) {
  std::string path(value_of(environment, "PATH"));
  if (path.empty()) path = value_of(image.environment, "PATH");
  if (path.empty()) path = kDefaultPath;
  std::erase_if(environment, [](const std::string& entry) { return entry.starts_with("PATH="); });
  environment.push_back("PATH=" + path + ":" + kBin);
  return environment;
}

Container complete(const Options& options, const TaskFiles& files, const TaskStreams& streams) {
  Container container = options.container;
  container.entrypoint = kInit;
  // More than the machine has is no limit, and engines refuse it.
  const auto online = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  if (container.millicores >= online * 1000) container.millicores = online * 1000;
  container.mounts.push_back({options.init, kInit, true});
  if (!options.hakurun.empty()) container.mounts.push_back({options.hakurun, std::string(kBin) + "/hakurun", true});
  container.mounts.push_back({files.report_path(), kReport});
  container.mounts.push_back({streams.stdout_path, kStdout});
  container.mounts.push_back({streams.stderr_path, kStderr});
  return container;
}

Argv command_inside(const Options& options, const Image& image) {
  Argv words{"--stdout", kStdout, "--stderr", kStderr, "--report", kReport};
  if (options.niceness != 0) words.insert(words.end(), {"--nice", std::to_string(options.niceness)});
  words.emplace_back("--");
  words.insert(words.end(), image.entrypoint.begin(), image.entrypoint.end());
  words.insert(words.end(), options.command.begin(), options.command.end());
  return words;
}

bool is_cancelled(const TaskFiles& files, Failure& failure) {
  if (!files.is_cancelled()) return false;
  failure = {EACCES, "it was asked to end before it started"};
  return true;
}

// False, and why, where no container runs. `executed` is the word that the init executes.
bool start(Engine& engine, const Options& options, TaskFiles& files, const TaskStreams& streams,
           const std::vector<std::string>& environment, std::string& executed, Failure& failure) {
  const std::string& name = options.container.image;
  auto checked = check_texts(options, environment);
  if (checked) checked = check_mounts(options.container.mounts);
  if (!checked) {
    failure = {EACCES, checked.error().message};
    return false;
  }
  const auto image = engine.image(name);
  if (!image) {
    const bool is_missing = image.error().code == Errc::not_found;
    failure = is_missing ? Failure{EACCES, "image '" + name + "' is not on this node"}
                         : engine_failure(image.error(), "image '" + name + "'");
    return false;
  }
  executed = image->entrypoint.empty() ? options.command.front() : image->entrypoint.front();
  if (const auto noted = files.note_asked(); !noted) {
    failure = {EIO, noted.error().message};
    return false;
  }
  if (is_cancelled(files, failure)) return false;
  const auto made =
      engine.create(complete(options, files, streams), command_inside(options, *image), with_path(environment, *image));
  if (!made) {
    failure = engine_failure(made.error(), "container of image '" + name + "'");
    return false;
  }
  if (is_cancelled(files, failure)) return false;
  if (const auto started = engine.start(options.name); !started) {
    failure = engine_failure(started.error(), "container of image '" + name + "'");
    return false;
  }
  return true;
}

void wait_for_end(Engine& engine, const std::string& name) {
  for (;;) {
    const auto waited = engine.wait(name);
    const auto state = engine.state(name);
    if (state && !state->is_alive()) return;
    if (!state && state.error().code == Errc::not_found) return;
    if (!waited || !state) std::this_thread::sleep_for(std::chrono::seconds(1));  // an engine that restarts
  }
}

std::string quoted(const std::string& word) {
  std::string text = word.substr(0, 256);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  return "'" + text + "'";
}

std::string describe(int error, const std::string& word) {
  if (error == ENOENT || error == ENOTDIR) return quoted(word) + ": command not found in the container";
  if (error == ENOEXEC) return quoted(word) + ": not a program, or its interpreter is not in the container";
  return quoted(word) + ": cannot be executed in the container: " + std::generic_category().message(error);
}

// The init knows the number only. Where this fails, whoever finishes the attempt has words of its own.
void name_failure(const TaskFiles& files, const std::string& word) {
  const auto report = files.report();
  if (!report.never_started || !report.failure.empty()) return;
  static_cast<void>(files.note_failure(*report.never_started, describe(*report.never_started, word)));
}

int status_of(const TaskReport& report) {
  if (report.exited) return *report.exited;
  if (report.signaled) return 128 + *report.signaled;
  if (report.never_started) return *report.never_started == ENOENT ? kNotFound : kNotExecutable;
  return 128 + 9;  // all of it was killed from outside
}

}  // namespace

TaskEnd run_task(Engine& engine, const Options& options, TaskFiles& files, const TaskStreams& streams,
                 const std::vector<std::string>& environment) {
  Failure failure;
  std::string executed;
  if (!start(engine, options, files, streams, environment, executed, failure)) {
    if (const auto noted = files.note_failure(failure.error, failure.message); !noted) {
      failure.message += "; " + noted.error().message;
    }
    return {failure.error == EACCES ? kNotExecutable : kNodeFault, std::move(failure.message)};
  }
  wait_for_end(engine, options.name);
  name_failure(files, executed);
  return {status_of(files.report()), {}};
}

}  // namespace hakuriver::container
