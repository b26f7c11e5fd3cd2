#include "service/output_lane.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "service/runner_start.hpp"
#include "service/task_output.hpp"

namespace hakuriver::service {
namespace {

constexpr std::chrono::seconds kDeadline{40};  // the host holds a question for 30 s
constexpr std::chrono::seconds kPause{2};      // after a question that was not answered

}  // namespace

wire::OutputPart read_part(const std::string& shared_dir, const wire::OutputWant& want) {
  const AttemptKey key{want.task, want.attempt};
  const std::string path = want.is_stderr ? stderr_path_of(shared_dir, key) : stdout_path_of(shared_dir, key);
  wire::OutputPart part;
  part.number = want.number;
  const auto fails = [&part](const Error& error) {
    part.is_absent = error.code == Errc::not_found;
    part.error = error.message;
    return part;
  };
  part.offset = want.offset;
  if (want.tail > 0) {
    const auto offset = offset_of_last_lines(path, want.tail);
    if (!offset) return fails(offset.error());
    part.offset = *offset;
  }
  auto range = read_output(path, part.offset, std::min(want.limit, wire::kMaxOutputPart));
  if (!range) return fails(range.error());
  part.size = range->size;
  part.bytes = std::move(range->bytes);
  return part;
}

OutputLane::OutputLane(CallerFactory connect, std::string node, std::string shared_dir)
    : connect_(std::move(connect)),
      node_(std::move(node)),
      shared_dir_(std::move(shared_dir)),
      thread_([this] { run(); }) {}

OutputLane::~OutputLane() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    if (caller_) caller_->cancel();
    changed_.notify_all();
  }
  thread_.join();
}

void OutputLane::set_active(bool is_active) {
  const std::lock_guard lock(mutex_);
  if (is_active == is_active_) return;
  is_active_ = is_active;
  changed_.notify_all();
}

// Brings parts, and comes back with those that are wanted next.
std::vector<wire::OutputPart> OutputLane::ask(std::vector<wire::OutputPart> parts, bool& was_answered) {
  HttpRequest request;
  request.method = "POST";
  request.path = "/api/v1/node/output";
  request.body = wire::encode(wire::OutputPoll{node_, std::move(parts)});
  const auto reply = caller_->call(request, kDeadline);
  was_answered = reply && reply->status == 200;
  if (!was_answered) return {};
  const auto wants = wire::decode_output_wants(reply->body);
  if (!wants) {
    was_answered = false;
    return {};
  }
  std::vector<wire::OutputPart> next;
  for (const auto& want : *wants) next.push_back(read_part(shared_dir_, want));
  return next;
}

void OutputLane::run() {
  std::vector<wire::OutputPart> parts;
  std::unique_lock lock(mutex_);
  while (!is_over_) {
    if (!is_active_) {
      parts.clear();
      changed_.wait(lock);
      continue;
    }
    if (!caller_) caller_ = connect_();
    lock.unlock();
    bool was_answered = false;
    parts = ask(std::move(parts), was_answered);
    lock.lock();
    if (!was_answered) changed_.wait_for(lock, kPause, [this] { return is_over_; });
  }
}

}  // namespace hakuriver::service
