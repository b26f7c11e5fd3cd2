#include "cli/cluster_backend.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <unordered_map>
#include <utility>

#include "cli/cluster_lines.hpp"
#include "cli/exit_status.hpp"
#include "engine/child_process.hpp"
#include "engine/write_all.hpp"
#include "hakuriver/duration.hpp"
#include "hakuriver/task_sweep.hpp"
#include "platform/random.hpp"
#include "platform/system_error.hpp"
#include "wire/json_text.hpp"
#include "wire/task_sweep_text.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::string_view kKill = "--kill";
constexpr std::string_view kKillPending = "--kill-pending";

// A file without a name that holds the text, read from its beginning.
platform::Descriptor file_of(const std::string& text) {
  platform::Descriptor file(::memfd_create("hakurun-sweep", MFD_CLOEXEC));
  if (!file.is_open() || engine::write_all(file.get(), text) != 0) return {};
  ::lseek(file.get(), 0, SEEK_SET);
  return engine::above_stdio(std::move(file));
}

void append_variables(std::string& out, const std::vector<std::string>& environment) {
  wire::append_array(out, environment, [](std::string& to, const std::string& entry) {
    const auto equals = entry.find('=');
    to += '[';
    wire::append_text(to, std::string_view(entry).substr(0, equals));
    to += ',';
    wire::append_text(to, std::string_view(entry).substr(equals + 1));
    to += ']';
  });
}

}  // namespace

Result<std::unique_ptr<ClusterBackend>> ClusterBackend::make(CommandSweep sweep, ClusterOptions options,
                                                             std::vector<std::string> environment,
                                                             std::string working_directory) {
  auto client = find_client();
  if (!client) return client.error();
  std::unique_ptr<ClusterBackend> backend(new ClusterBackend(std::move(sweep), std::move(options), std::move(*client)));
  backend->environment_ = std::move(environment);
  backend->working_directory_ = std::move(working_directory);
  return backend;
}

ClusterBackend::ClusterBackend(CommandSweep sweep, ClusterOptions options, std::string client)
    : sweep_(std::move(sweep)), options_(std::move(options)), client_(std::move(client), options_.host) {}

ClusterBackend::~ClusterBackend() {
  for (auto& batch : batches_) {
    if (batch.client <= 0) continue;
    ::kill(batch.client, SIGTERM);
    ::waitpid(batch.client, nullptr, 0);
  }
}

StartAnswer ClusterBackend::start(const StartOrder& order, BackendEvents&) {
  for (std::uint64_t i = 0; i < order.count; ++i) pending_.push_back({order.first + i, order.attempt});
  return StartAnswer::accepted;
}

// The cluster knows only one way to end a task, and has its own grace for it.
void ClusterBackend::stop_all(StopHow how) {
  if (how != StopHow::terminate && how != StopHow::kill) return;
  is_dropping_ = true;
  for (auto& batch : batches_) ask_of(batch, kKill);
}

void ClusterBackend::withdraw() {
  is_dropping_ = true;
  for (auto& batch : batches_) ask_of(batch, kKillPending);
}

// The run ends single commands at their time limit only, and those are the cluster's here.
void ClusterBackend::stop(std::uint64_t, StopHow) {}

// A batch that the host has not taken yet has no id to ask about.
void ClusterBackend::ask_of(Batch& batch, std::string_view option) {
  if (batch.id.empty()) {
    if (batch.to_be_asked != kKill) batch.to_be_asked = option;
  } else {
    client_.ask(option, batch.id);
  }
}

// What waits to be submitted never will be.
void ClusterBackend::drop_pending(BackendEvents& events) {
  for (const auto& task : std::exchange(pending_, {})) {
    AttemptEnd end;
    end.outcome = {OutcomeKind::signaled, SIGTERM};
    end.ended_at = engine::monotonic_now();
    end.is_withdrawn = true;
    events.ended(task.index, task.attempt, end);
  }
}

// With a limit, what is to be tried again comes after all else: two batches would run more at once than one may.
bool ClusterBackend::may_submit() const noexcept {
  return !pending_.empty() && (options_.max_running == 0 || batches_.empty());
}

Status ClusterBackend::watch(int descriptor) {
  watched_.push_back(descriptor);
  return Unit{};
}

void ClusterBackend::unwatch(int descriptor) { std::erase(watched_, descriptor); }

Status ClusterBackend::wait(std::optional<MonotonicTime> deadline, BackendEvents& events) {
  const auto now = engine::monotonic_now();
  const bool is_at_once = deadline && *deadline <= now;
  if (is_dropping_) drop_pending(events);
  if (may_submit() && !is_at_once) {
    if (const auto submitted = submit(); !submitted) return submitted;
  }
  std::vector<pollfd> polled;
  for (const int descriptor : watched_) polled.push_back({descriptor, POLLIN, 0});
  for (const auto& batch : batches_) polled.push_back({batch.lines.get(), POLLIN, 0});
  int timeout = client_.is_asking() ? static_cast<int>(ClusterClient::kPace.count()) : 60'000;
  if (deadline) {
    timeout = is_at_once ? 0 : static_cast<int>(std::min<std::int64_t>((*deadline - now).count() / 1000 + 1, timeout));
  }
  if (::poll(polled.data(), polled.size(), timeout) < 0 && errno != EINTR) {
    return platform::system_error("cannot wait for events", errno);
  }
  const std::size_t watched = watched_.size();
  for (std::size_t i = 0; i < watched; ++i) {
    if (polled[i].revents != 0) events.readable(polled[i].fd);
  }
  for (std::size_t i = watched; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    if (const auto taken = take_input(batches_[i - watched], events); !taken) return taken;
  }
  client_.go_on();
  std::erase_if(batches_, [](const Batch& batch) { return batch.client <= 0; });
  return Unit{};
}

bool ClusterBackend::settle() { return batches_.empty() && pending_.empty(); }

std::vector<std::string> ClusterBackend::open_batches() const {
  std::vector<std::string> ids;
  for (const auto& batch : batches_) {
    if (!batch.id.empty()) ids.push_back(batch.id);
  }
  return ids;
}

// What an earlier run has submitted and not seen the end of is followed; all else that waits is one request.
Status ClusterBackend::submit() {
  if (!std::exchange(has_log_, true)) {
    auto log = SubmissionLog::open(options_.joblog, options_.resumes);
    if (!log) return log.error();
    log_ = std::move(*log);
    for (const auto& earlier : log_.take_earlier()) {
      if (const auto attached = attach(earlier); !attached) return attached;
    }
    if (!may_submit()) return Unit{};
  }
  Batch batch;
  batch.tasks = std::exchange(pending_, {});
  auto id = platform::random_hex(16);
  const auto places = places_of(batch.tasks);
  const auto sweep = describe_sweep(places);
  if (!id || !sweep) return id ? sweep.error() : id.error();
  batch.submission = std::move(*id);
  if (const auto noted = log_.submitted(batch.submission, digest_of(*sweep), places); !noted) return noted;
  return follow(std::move(batch), *sweep);
}

// Of its tasks the run hears what it waits for, but not of those that it knows to have ended.
Status ClusterBackend::attach(const LoggedSubmission& earlier) {
  const auto sweep = describe_sweep(earlier.places);
  if (!sweep || digest_of(*sweep) != earlier.digest) {
    if (on_batch_) on_batch_("an earlier run's batch " + earlier.batch + " with other commands may go on");
    return Unit{};
  }
  Batch batch;
  batch.submission = earlier.id;
  std::unordered_map<std::uint64_t, std::size_t> open;  // by index in the plan: in the batch
  for (const auto& range : earlier.places) {
    for (std::uint64_t i = 0; i < range.count; ++i) {
      open.emplace(range.first + i, batch.tasks.size());
      batch.tasks.push_back({range.first + i, kNotAwaited});
    }
  }
  for (const auto& range : earlier.ended) {
    const std::uint64_t end = std::min<std::uint64_t>(range.first + range.count, batch.tasks.size());
    for (std::uint64_t i = range.first; i < end; ++i) open.erase(batch.tasks[static_cast<std::size_t>(i)].index);
  }
  const std::size_t before = pending_.size();
  std::erase_if(pending_, [&](const Attempt& task) {
    const auto found = open.find(task.index);
    if (found == open.end()) return false;
    batch.tasks[found->second].attempt = task.attempt;
    return true;
  });
  if (pending_.size() == before) return Unit{};
  batch.id = earlier.batch;
  return follow(std::move(batch), *sweep);
}

// A request that the host may have is made again with its id, which makes it the same one.
Status ClusterBackend::follow(Batch batch, const std::string& sweep) {
  std::vector<std::string> words{"--follow-batch", std::exchange(batch.id, {}), "--with-outputs"};
  if (words[1].empty()) words = {"--sweep", "-", "--follow", "--with-outputs"};
  const auto input = file_of(describe(sweep, batch.submission));
  auto pipe = engine::make_pipe();
  if (!input.is_open() || !pipe.read_end.is_open()) return platform::system_error("cannot make a pipe", errno);
  const auto client = client_.start(std::move(words), input.get(), pipe.write_end.get());
  if (!client) return client.error();
  batch.client = *client;
  batch.lines = std::move(pipe.read_end);
  batches_.push_back(std::move(batch));
  return Unit{};
}

std::vector<PlaceRange> ClusterBackend::places_of(const std::vector<Attempt>& tasks) {
  std::vector<PlaceRange> places;
  for (const auto& task : tasks) {
    if (!places.empty() && places.back().first + places.back().count == task.index) {
      ++places.back().count;
    } else {
      places.push_back({task.index, 1});
    }
  }
  return places;
}

Result<std::string> ClusterBackend::describe_sweep(std::vector<PlaceRange> places) const {
  const auto sweep = TaskSweep::make(sweep_, {}, std::move(places));
  if (!sweep) return Error{sweep.error().code, "--to cluster: the sweep " + sweep.error().message};
  std::string text;
  wire::append_task_sweep(text, *sweep);
  return text;
}

std::string ClusterBackend::describe(const std::string& sweep, const std::string& submission) const {
  std::string text;
  wire::ObjectWriter object(text);
  object.member("sweep") += sweep;
  object.text("submission_id", submission);
  if (!environment_.empty()) append_variables(object.member("environment"), environment_);
  if (!options_.cores.empty()) object.text("cores", options_.cores);
  if (!options_.memory.empty()) object.text("memory", options_.memory);
  if (!options_.name.empty()) object.text("name", options_.name);
  if (!working_directory_.empty()) object.text("cwd", working_directory_);
  if (options_.time_limit.count() > 0) object.text("time_limit", to_duration_text(options_.time_limit));
  if (options_.niceness > 0) object.number("nice", options_.niceness);
  if (options_.max_running > 0) object.number("max_running", options_.max_running);
  const auto text_of = [](std::string& to, const std::string& word) { wire::append_text(to, word); };
  if (!options_.targets.empty()) wire::append_array(object.member("targets"), options_.targets, text_of);
  if (!options_.container.empty()) object.text("container", options_.container);
  if (!options_.mounts.empty()) wire::append_array(object.member("mounts"), options_.mounts, text_of);
  if (options_.privileged) object.flag("privileged", true);
  if (options_.private_network) object.flag("private_network", true);
  if (options_.private_pid) object.flag("private_pid", true);
  if (!options_.user.empty()) object.text("user", options_.user);
  object.close();
  return text;
}

Status ClusterBackend::take_input(Batch& batch, BackendEvents& events) {
  char bytes[65536];
  const auto count = ::read(batch.lines.get(), bytes, sizeof bytes);
  if (count < 0) return errno == EAGAIN || errno == EINTR ? Status{Unit{}} : finish(batch);
  if (count == 0) return finish(batch);
  batch.unread.append(bytes, static_cast<std::size_t>(count));
  return take_text(batch, events);
}

Status ClusterBackend::take_text(Batch& batch, BackendEvents& events) {
  std::string_view text = batch.unread;
  while (!text.empty()) {
    if (batch.output_left > 0) {
      const auto part =
          text.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(batch.output_left, text.size())));
      const Attempt& task = batch.tasks[static_cast<std::size_t>(batch.output_task)];
      if (task.attempt != kNotAwaited) events.output(task.index, task.attempt, batch.output_stream, part);
      batch.output_left -= part.size();
      text.remove_prefix(part.size());
      continue;
    }
    const auto end = text.find('\n');
    if (end == std::string_view::npos) break;
    if (const auto taken = take_line(batch, text.substr(0, end), events); !taken) return taken;
    text.remove_prefix(end + 1);
  }
  batch.unread.erase(0, batch.unread.size() - text.size());
  return Unit{};
}

Status ClusterBackend::take_line(Batch& batch, std::string_view line, BackendEvents& events) {
  const auto parsed = parse_cluster_line(line, batch.tasks.size());
  if (!parsed) return parsed.error();
  if (const auto* output = std::get_if<OutputLine>(&*parsed)) {
    batch.output_task = output->task;
    batch.output_stream = output->stream;
    batch.output_left = output->bytes;
    return Unit{};
  }
  if (const auto* taken = std::get_if<BatchLine>(&*parsed)) {
    batch.id = taken->id;
    const std::string tasks = std::to_string(batch.tasks.size()) + (batch.tasks.size() == 1 ? " task" : " tasks");
    if (on_batch_) on_batch_("batch " + batch.id + " on the cluster: " + tasks);
    if (const auto noted = log_.taken(batch.submission, batch.id); !noted) return noted;
    for (const auto& task : batch.tasks) {
      if (task.attempt != kNotAwaited) events.started(task.index, task.attempt, 0);
    }
    if (!batch.to_be_asked.empty()) client_.ask(batch.to_be_asked, batch.id);
    return Unit{};
  }
  const auto& end = *std::get_if<EndLine>(&*parsed);
  for (std::uint64_t i = 0; i < end.count; ++i) {
    const Attempt& task = batch.tasks[static_cast<std::size_t>(end.first + i)];
    AttemptEnd told = end.end;
    told.ended_at = engine::monotonic_now();
    ++batch.ended;
    if (task.attempt != kNotAwaited) events.ended(task.index, task.attempt, told);
  }
  return log_.ended(batch.submission, end.first, end.count);
}

// The client has ended, and has said why if it was not done.
Status ClusterBackend::finish(Batch& batch) {
  int status = 0;
  ::waitpid(std::exchange(batch.client, -1), &status, 0);
  client_.forget(batch.id);
  if (batch.ended == batch.tasks.size()) return log_.done(batch.submission);
  if (batch.id.empty()) {
    const int exit = WIFEXITED(status) ? WEXITSTATUS(status) : kExitUnreachable;
    return Error{code_of_exit(exit), "--to cluster: the sweep was not submitted"};
  }
  return Error{Errc::unavailable, "--to cluster: batch " + batch.id +
                                      " is no longer followed, and goes on (hakuriver.client --follow-batch " +
                                      batch.id + " follows it, --kill ends it)"};
}

}  // namespace hakuriver::cli
