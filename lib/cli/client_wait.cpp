#include "cli/client_wait.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "cli/client_words.hpp"
#include "cli/exit_status.hpp"
#include "cli/interruption.hpp"
#include "wire/people.hpp"

namespace hakuriver::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The host holds the request for so long, and then tells how things are: a node that fell silent is told then.
constexpr seconds kHold{20};
constexpr seconds kSilence{35};  // of a host that should have answered by then
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{2000};
constexpr std::uint64_t kMostNamed = 10;

// The end of one wait: an exit status, and perhaps something that was looked for elsewhere.
struct Ending {
  int exit = kExitGood;
  bool is_missing = false;
};

class Waiting {
 public:
  explicit Waiting(ClientSession& session)
      : session_(session), interruption_([&session] { session.host().cancel(); }) {}

  int wait_for(std::uint64_t id) {
    const auto ending = wait_for_task(id);
    return ending.is_missing ? wait_for_batch(id) : ending.exit;
  }

  Ending wait_for_task(std::uint64_t id) {
    bool is_lost = false;
    for (;;) {
      const auto reply = ask("/api/v1/tasks/", id);
      if (!reply) return {interrupted(id)};
      if (reply->status == 404) return {kExitNotFound, true};
      if (reply->status != 200) return {session_.fail(*reply)};
      const auto task = wire::decode_task(reply->body);
      if (!task) return {unreadable(task.error())};
      if (is_final(task->status)) return {conclude(*task)};
      tell_lost(*task, is_lost);
    }
  }

  int wait_for_batch(std::uint64_t id) {
    for (;;) {
      const auto reply = ask("/api/v1/batches/", id);
      if (!reply) return interrupted(id);
      if (reply->status != 200) return session_.fail(*reply);
      const auto batch = wire::decode_batch_view(reply->body);
      if (!batch) return unreadable(batch.error());
      if (batch->is_done()) return conclude(*batch);
      tell_lost(*batch);
    }
  }

 private:
  // The reply, however long the host is away; none where a signal came.
  std::optional<HttpReply> ask(std::string_view path, std::uint64_t id) {
    const std::string whole = std::string(path) + std::to_string(id) + "?wait=" + std::to_string(kHold.count());
    milliseconds pause = kFirstPause;
    bool has_told = false;
    for (;;) {
      auto reply = session_.get(whole, kSilence);
      if (interruption_.signal() != 0) return std::nullopt;
      if (reply && !is_passing(reply->status)) return std::move(*reply);
      if (!has_told) session_.complain(absence(reply) + "; waiting for it to come back");
      has_told = true;
      if (!interruption_.sleep(pause)) return std::nullopt;
      pause = std::min(2 * pause, kLongestPause);
    }
  }

  static std::string absence(const Result<HttpReply>& reply) {
    if (!reply) return reply.error().message;
    const std::string detail = wire::decode_error(reply->body);
    return "the host answered " + std::to_string(reply->status) + (detail.empty() ? "" : ": " + detail);
  }

  int interrupted(std::uint64_t id) {
    session_.complain("interrupted; " + std::to_string(id) + " goes on (hakuriver.client --wait-for " +
                      std::to_string(id) + " waits again, --kill ends it)");
    return exit_of_signal(interruption_.signal());
  }

  int unreadable(const Error& error) {
    return session_.fail(Error{Errc::internal, "the host's answer cannot be read: " + error.message});
  }

  void tell_lost(const TaskView& task, bool& was_lost) {
    const bool is_lost = task.status == TaskStatus::lost;
    if (is_lost && !was_lost) {
      session_.say("task " + to_string(task.id) + " is lost: node '" + task.node + "' is silent; waiting for it");
    }
    if (!is_lost && was_lost) session_.say("task " + to_string(task.id) + " is back: " + words_of(task));
    was_lost = is_lost;
  }

  void tell_lost(const BatchView& batch) {
    const std::uint64_t lost = batch.by_status[static_cast<std::size_t>(TaskStatus::lost)];
    if (lost > lost_in_batch_) {
      session_.say(std::to_string(lost) + " of " + std::to_string(batch.count) +
                   " tasks are lost: their nodes are silent; waiting for them");
    }
    lost_in_batch_ = lost;
  }

  int conclude(const TaskView& task) {
    const int exit = exit_of_task(task);
    if (exit != kExitGood) session_.complain("task " + to_string(task.id) + " " + words_of(task));
    return exit;
  }

  int conclude(const BatchView& batch) {
    const std::uint64_t good = batch.by_status[static_cast<std::size_t>(TaskStatus::completed)];
    if (good == batch.count) return kExitGood;
    session_.complain(std::to_string(batch.count - good) + " of " + std::to_string(batch.count) +
                      " tasks did not succeed (hakuriver.client --list-tasks --batch " + to_string(batch.id) + ")");
    std::uint64_t named = 0;
    for (const auto status : {TaskStatus::failed, TaskStatus::killed_oom, TaskStatus::killed}) {
      if (batch.by_status[static_cast<std::size_t>(status)] > 0) name_tasks(batch.id, status, named);
    }
    return kExitFailed;
  }

  void name_tasks(BatchId batch, TaskStatus status, std::uint64_t& named) {
    if (named >= kMostNamed) return;
    const auto reply =
        session_.get("/api/v1/tasks?batch=" + to_string(batch) + "&state=" + std::string(to_string(status)) +
                     "&limit=" + std::to_string(kMostNamed - named));
    if (!reply || reply->status != 200) return;
    const auto page = wire::decode_task_page(reply->body);
    if (!page) return;
    for (const auto& task : page->tasks) session_.complain("task " + to_string(task.id) + " " + words_of(task));
    named += page->tasks.size();
  }

  ClientSession& session_;
  Interruption interruption_;
  std::uint64_t lost_in_batch_ = 0;
};

}  // namespace

int wait_for_submitted(ClientSession& session, const SubmitAnswer& answer) {
  Waiting waiting(session);
  if (answer.count > 1) return waiting.wait_for_batch(answer.batch.value);
  const TaskId task = task_of(answer.batch, 0);
  const auto ending = waiting.wait_for_task(task.value);
  if (ending.is_missing) session.complain("the host does not know task " + to_string(task) + " any more");
  return ending.exit;
}

int wait_for_ids(ClientSession& session) {
  Waiting waiting(session);
  const auto& ids = session.options().ids;
  if (ids.size() == 1) return waiting.wait_for(ids.front());
  int worst = kExitGood;
  for (const auto id : ids) {
    const int exit = waiting.wait_for(id);
    if (exit == kExitNotFound || exit == exit_of_signal(SIGINT) || exit == exit_of_signal(SIGTERM)) return exit;
    if (exit != kExitGood) worst = kExitFailed;
  }
  return worst;
}

}  // namespace hakuriver::cli
