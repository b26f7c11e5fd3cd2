#include "container/task_run.hpp"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "container/image_supply.hpp"
#include "container/messages.hpp"
#include "container/superseded.hpp"
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
constexpr std::uint64_t kLeastMillicores = 10;
constexpr std::chrono::seconds kEngineRestart{1};

// The errno by which the keeper knows whose fault it is: EACCES is the task's, EAGAIN the node's.
struct Failure {
  int error = EACCES;
  std::string message;
};

// An engine that works otherwise failed at what it was asked for.
Failure engine_failure(Engine& engine, const Error& error, const std::string& what) {
  const bool is_refused = error.code == Errc::invalid_argument || error.code == Errc::parse;
  const bool is_task = !tells_of_lack(error.message) && (is_refused || (error.code == Errc::io && engine.ping()));
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

Container complete(const Options& options, std::vector<Mount> mounts, const TaskFiles& files,
                   const TaskStreams& streams) {
  Container container = options.container;
  container.entrypoint = kInit;
  container.working_directory = "/";  // the init enters it, or says why not
  container.mounts = std::move(mounts);
  // More than the machine has is no limit, and engines refuse it as they refuse less than a hundredth.
  const auto online = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  if (container.millicores != 0) {
    container.millicores = std::clamp(container.millicores, kLeastMillicores, online * 1000);
  }
  container.mounts.push_back({options.init, kInit, true});
  if (!options.hakurun.empty()) container.mounts.push_back({options.hakurun, std::string(kBin) + "/hakurun", true});
  container.mounts.push_back({files.report_path(), kReport});
  container.mounts.push_back({streams.stdout_path, kStdout});
  container.mounts.push_back({streams.stderr_path, kStderr});
  return container;
}

Argv command_inside(const Options& options, const Image& image, const std::vector<std::string>& expected) {
  Argv words{"--stdout", kStdout, "--stderr", kStderr, "--report", kReport};
  for (const auto& mount : expected) words.insert(words.end(), {"--expect", mount});
  const auto& directory = options.container.working_directory;
  if (!directory.empty()) words.insert(words.end(), {"--directory", directory});
  if (options.niceness != 0) words.insert(words.end(), {"--nice", std::to_string(options.niceness)});
  words.emplace_back("--");
  words.insert(words.end(), image.entrypoint.begin(), image.entrypoint.end());
  words.insert(words.end(), options.command.begin(), options.command.end());
  return words;
}

std::string describe(const Container& container) { return "container of image '" + container.image + "'"; }

bool is_cancelled(const TaskFiles& files, Failure& failure) {
  if (!files.is_cancelled()) return false;
  failure = {EACCES, "it was asked to end before it started"};
  return true;
}

// What one attempt is started with.
struct Attempt {
  Engine& engine;
  const Options& options;
  TaskFiles& files;
  const TaskStreams& streams;
  const std::vector<std::string>& environment;
};

// What the engine is asked for.
struct Plan {
  Container container{};
  std::vector<std::string> expected{};
};

bool is_fault_of_task(Errc code) {
  return code == Errc::not_found || code == Errc::invalid_argument || code == Errc::denied || code == Errc::parse;
}

// The image, where nothing is wrong with what the task asks for.
std::optional<SuppliedImage> find_image(const Attempt& attempt, Plan& plan, Failure& failure) {
  const std::string& name = attempt.options.container.image;
  const auto checked = check_texts(attempt.options, attempt.environment);
  if (!checked) {
    failure = {EACCES, checked.error().message};
    return std::nullopt;
  }
  auto image = supply_image(attempt.engine, name, attempt.options.source);
  if (!image) {
    failure = {is_fault_of_task(image.error().code) ? EACCES : EAGAIN, image.error().message};
    return std::nullopt;
  }
  // Behind that, which may take long: where links lead is looked at just before the engine follows them.
  auto mounts = resolve_mounts(attempt.options);
  if (!mounts) {
    failure = {EACCES, mounts.error().message};
    return std::nullopt;
  }
  plan.container = complete(attempt.options, std::move(mounts->mounts), attempt.files, attempt.streams);
  plan.expected = std::move(mounts->expected);
  return std::move(*image);
}

enum class Creation { done, failed, without_image };

Creation create(const Attempt& attempt, const Plan& plan, const Image& image, Failure& failure) {
  if (const auto noted = attempt.files.note_asked(); !noted) {
    failure = {EIO, noted.error().message};
    return Creation::failed;
  }
  if (is_cancelled(attempt.files, failure)) return Creation::failed;
  const Argv command = command_inside(attempt.options, image, plan.expected);
  const auto made = attempt.engine.create(plan.container, command, with_path(attempt.environment, image));
  const bool is_answered = made || made.error().code != Errc::unavailable;
  const auto noted = is_answered ? attempt.files.note_answered() : Status(Unit{});
  if (!made) failure = engine_failure(attempt.engine, made.error(), describe(plan.container));
  if (!noted) failure = {EIO, noted.error().message};
  if (made && noted) return Creation::done;
  return noted && made.error().code == Errc::not_found ? Creation::without_image : Creation::failed;
}

// An image that is here may be removed before a container has it, by a task that has brought another version of its
// environment: then it is brought again.
std::optional<SuppliedImage> create_with_image(const Attempt& attempt, Plan& plan, Failure& failure) {
  constexpr int kRounds = 3;
  for (int round = 0; round < kRounds; ++round) {
    auto image = find_image(attempt, plan, failure);
    const auto created = image ? create(attempt, plan, image->image, failure) : Creation::failed;
    if (created == Creation::done) return image;
    if (created == Creation::failed) return std::nullopt;
  }
  return std::nullopt;
}

// Whether anything of it was ever started, however the answer to that got lost.
bool has_begun(Engine& engine, const std::string& name) {
  for (;;) {
    const auto state = engine.state(name);
    if (state) return !state->is_new();
    if (state.error().code == Errc::not_found) return false;
    std::this_thread::sleep_for(kEngineRestart);
  }
}

// False, and why, where no container runs. `executed` is the word that the init executes.
bool start(const Attempt& attempt, std::string& executed, Failure& failure) {
  const std::string& name = attempt.options.name;
  Plan plan;
  const auto supplied = create_with_image(attempt, plan, failure);
  if (!supplied || is_cancelled(attempt.files, failure)) return false;
  const Argv& entrypoint = supplied->image.entrypoint;
  executed = entrypoint.empty() ? attempt.options.command.front() : entrypoint.front();
  const auto started = attempt.engine.start(name);
  if (!started && !has_begun(attempt.engine, name)) {
    failure = engine_failure(attempt.engine, started.error(), describe(plan.container));
    return false;
  }
  // Whoever asked for its end meanwhile found nothing that could be ended.
  if (attempt.files.is_cancelled()) static_cast<void>(attempt.engine.kill(name));
  // Now, when the task waits for nothing any more.
  if (supplied->is_brought) remove_superseded(attempt.engine, attempt.options.source);
  return true;
}

// The state that it ended with; none where it is gone.
std::optional<ContainerState> wait_for_end(Engine& engine, const std::string& name) {
  for (;;) {
    const auto waited = engine.wait(name);
    auto state = engine.state(name);
    if (state && !state->is_alive()) return std::move(*state);
    if (!state && state.error().code == Errc::not_found) return std::nullopt;
    if (!waited || !state) std::this_thread::sleep_for(kEngineRestart);
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
  if (error == EXDEV) return "a mount was exchanged while the container was made: [docker] allow_mounts";
  if (error == ENOEXEC) return quoted(word) + ": not a program, or its interpreter is not in the container";
  return quoted(word) + ": cannot be executed in the container: " + std::generic_category().message(error);
}

// The init knows the number only. Where this fails, whoever finishes the attempt has words of its own.
void name_failure(const TaskFiles& files, const TaskReport& report, const std::string& word, const Container& inside) {
  if (report.never_started) {
    static_cast<void>(files.note_failure(*report.never_started, describe(*report.never_started, word)));
  } else if (report.unopened) {
    static_cast<void>(files.note_failure(
        *report.unopened, "its output files cannot be opened by user " + inside.user +
                              " in the container: " + std::generic_category().message(*report.unopened)));
  } else if (report.unentered) {
    static_cast<void>(files.note_failure(
        *report.unentered, "working directory " + quoted(inside.working_directory) +
                               " in the container: " + std::generic_category().message(*report.unentered)));
  }
}

int status_of(const TaskReport& report, const std::optional<ContainerState>& state) {
  if (report.exited) return *report.exited;
  if (report.signaled) return 128 + *report.signaled;
  if (report.never_started) return *report.never_started == ENOENT ? kNotFound : kNotExecutable;
  if (report.unopened || report.unentered || has_init_failed(report, state)) return kNotExecutable;
  return 128 + 9;  // all of it was killed from outside
}

}  // namespace

TaskEnd run_task(Engine& engine, const Options& options, TaskFiles& files, const TaskStreams& streams,
                 const std::vector<std::string>& environment) {
  Failure failure;
  std::string executed;
  if (!start({engine, options, files, streams, environment}, executed, failure)) {
    if (const auto noted = files.note_failure(failure.error, failure.message); !noted) {
      failure.message += "; " + noted.error().message;
    }
    return {failure.error == EACCES ? kNotExecutable : kNodeFault, std::move(failure.message)};
  }
  const auto state = wait_for_end(engine, options.name);
  const auto report = confirm(files.report(), state);
  name_failure(files, report, executed, options.container);
  return {status_of(report, state), {}};
}

}  // namespace hakuriver::container
