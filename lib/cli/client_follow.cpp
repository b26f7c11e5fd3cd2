#include "cli/client_follow.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cli/client_words.hpp"
#include "cli/exit_status.hpp"
#include "cli/interruption.hpp"
#include "wire/batch_ends.hpp"
#include "wire/people.hpp"

namespace hakuriver::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kHold{20};            // by the host, while nothing ends
constexpr seconds kSilence{35};         // of a host that should have answered by then
constexpr std::uint64_t kShort = 4096;  // bytes of an output that comes with its end
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{2000};

// The tasks that have not ended, as ranges: those that run are the gaps, so there are few.
class OpenTasks {
 public:
  explicit OpenTasks(std::uint64_t count) { ranges_.emplace(0, count); }

  bool is_empty() const noexcept { return ranges_.empty(); }

  std::vector<PlaceRange> ranges() const {
    std::vector<PlaceRange> ranges;
    for (const auto& [first, count] : ranges_) {
      if (ranges.size() == wire::kMostOpenRanges) break;
      ranges.push_back({first, count});
    }
    return ranges;
  }

  // False where not all of them were open: they have been told already.
  bool close(std::uint64_t first, std::uint64_t count) {
    auto found = ranges_.upper_bound(first);
    if (found == ranges_.begin()) return false;
    --found;
    const auto [from, all] = *found;
    if (first - from >= all || count > all - (first - from)) return false;
    ranges_.erase(found);
    if (first > from) ranges_.emplace(from, first - from);
    if (first + count < from + all) ranges_.emplace(first + count, from + all - (first + count));
    return true;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // by first: count
};

std::string line_of(const EndRecord& end, std::uint64_t index) {
  std::string line = "end " + std::to_string(index) + ' ' + std::to_string(end.count) + ' ' +
                     std::to_string(end.attempt.value) + ' ' + std::string(to_string(end.status)) + ' ' +
                     std::to_string(static_cast<int>(end.outcome.kind)) + ' ' + std::to_string(end.outcome.value);
  for (const std::int64_t time : {end.started_at.microseconds, end.ended_at.microseconds}) {
    line += ' ' + std::to_string(time);
  }
  for (const std::uint64_t number :
       {end.usage.cpu_microseconds, end.usage.max_rss_bytes, end.stdout_bytes, end.stderr_bytes}) {
    line += ' ' + std::to_string(number);
  }
  return line + ' ' + printable(end.message) + '\n';
}

class Following {
 public:
  Following(ClientSession& session, BatchId batch, std::uint64_t count)
      : session_(session), batch_(batch), open_(count), interruption_([&session] { session.host().cancel(); }) {}

  int run(std::uint64_t count) {
    if (!session_.print("batch " + to_string(batch_) + ' ' + std::to_string(count) + '\n')) return kExitFailed;
    while (!open_.is_empty()) {
      const auto reply = ask();
      if (!reply) return interrupted();
      if (reply->status != 200) return session_.fail(*reply);
      const auto ends = wire::decode_batch_ends(reply->body, batch_);
      if (!ends) {
        return session_.fail(Error{Errc::internal, "the host's answer cannot be read: " + ends.error().message});
      }
      if (!tell(*ends)) return interruption_.signal() != 0 ? interrupted() : kExitFailed;
    }
    return all_good_ ? kExitGood : kExitFailed;
  }

 private:
  // However long the host is away; none where a signal came.
  std::optional<HttpReply> ask() {
    wire::BatchEndsQuery query;
    query.open = open_.ranges();
    query.wait_seconds = kHold.count();
    if (session_.options().fetches_outputs) query.output_bytes = kShort;
    const http::HttpCall call{.method = "POST",
                              .path = "/api/v1/batches/" + to_string(batch_) + "/ends",
                              .body = wire::encode(query),
                              .read_timeout = kSilence,
                              .is_repeatable = true};
    milliseconds pause = kFirstPause;
    for (bool has_told = false;; has_told = true) {
      auto reply = session_.host().send(call);
      if (interruption_.signal() != 0) return std::nullopt;
      if (reply && !is_passing(reply->status)) return std::move(*reply);
      const std::string reason = reply ? wire::decode_error(reply->body) : reply.error().message;
      if (!has_told) session_.complain(reason + "; waiting for the host to come back");
      if (!interruption_.sleep(pause)) return std::nullopt;
      pause = std::min(2 * pause, kLongestPause);
    }
  }

  // False where nobody takes it, or a signal came.
  bool tell(const wire::BatchEnds& answer) {
    lines_.clear();
    for (const auto& end : answer.ends) {
      const std::uint64_t index = end.first.value - task_of(batch_, 0).value;
      if (!open_.close(index, end.count)) continue;
      all_good_ = all_good_ && end.status == TaskStatus::completed;
      if (session_.options().fetches_outputs && !tell_outputs(end, answer.outputs)) return false;
      lines_ += line_of(end, index);
    }
    return lines_.empty() || session_.print(lines_);
  }

  bool tell_outputs(const EndRecord& end, const std::vector<wire::EndOutput>& outputs) {
    auto at = std::lower_bound(outputs.begin(), outputs.end(), end.first,
                               [](const wire::EndOutput& output, TaskId task) { return output.task < task; });
    for (const bool is_stderr : {false, true}) {
      const std::uint64_t written = is_stderr ? end.stderr_bytes : end.stdout_bytes;
      if (at != outputs.end() && at->task == end.first && at->is_stderr == is_stderr) {
        lines_ += begin_of_output(end.first, is_stderr, at->bytes.size()) + at->bytes;
        ++at;
      } else if (written > 0 && !(session_.print(std::exchange(lines_, {})) && fetch(end.first, is_stderr, written))) {
        return false;
      }
    }
    return true;
  }

  std::string begin_of_output(TaskId task, bool is_stderr, std::size_t bytes) const {
    return "output " + std::to_string(task.value - task_of(batch_, 0).value) + (is_stderr ? " stderr " : " stdout ") +
           std::to_string(bytes) + '\n';
  }

  // A reply holds a part of a long output.
  bool fetch(TaskId task, bool is_stderr, std::uint64_t written) {
    const std::string stream = is_stderr ? "stderr" : "stdout";
    for (std::uint64_t position = 0; position < written;) {
      const std::uint64_t before = position;
      bool is_taken = true;
      const http::HttpCall call{.path = "/api/v1/tasks/" + to_string(task) + '/' + stream +
                                        "?offset=" + std::to_string(position)};
      const auto reply = session_.host().receive(call, [&](std::string_view bytes) {
        position += bytes.size();
        is_taken = session_.print(begin_of_output(task, is_stderr, bytes.size())) && session_.print(bytes);
        return is_taken;
      });
      if (interruption_.signal() != 0 || !is_taken) return false;
      const bool is_good = reply && reply->status == 200;
      if (is_good && position != before) continue;
      session_.complain("the " + stream + " of task " + to_string(task) + " cannot be had: " + reason_of(reply));
      all_good_ = false;
      return true;
    }
    return true;
  }

  static std::string reason_of(const Result<HttpReply>& reply) {
    if (!reply) return reply.error().message;
    return reply->status == 200 ? "it is shorter than it was" : wire::decode_error(reply->body);
  }

  int interrupted() {
    session_.complain("interrupted; batch " + to_string(batch_) + " goes on (hakuriver.client --follow-batch " +
                      to_string(batch_) + " follows again, --kill ends it)");
    return exit_of_signal(interruption_.signal());
  }

  ClientSession& session_;
  const BatchId batch_;
  OpenTasks open_;
  Interruption interruption_;
  std::string lines_;  // to be printed
  bool all_good_ = true;
};

}  // namespace

int follow(ClientSession& session, BatchId batch, std::uint64_t count) {
  return Following(session, batch, count).run(count);
}

int follow_batch(ClientSession& session) {
  const BatchId batch{session.options().ids.front()};
  const auto answer = session.ask("/api/v1/batches/" + to_string(batch));
  if (answer.exit != kExitGood) return answer.exit;
  const auto view = wire::decode_batch_view(answer.body);
  if (!view) {
    return session.fail(Error{Errc::internal, "the host's answer cannot be read: " + view.error().message});
  }
  return follow(session, batch, view->count);
}

}  // namespace hakuriver::cli
