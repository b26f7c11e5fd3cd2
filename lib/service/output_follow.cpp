#include "service/output_follow.hpp"

#include <algorithm>
#include <utility>

#include "service/output_requests.hpp"

namespace hakuriver::service {
namespace {

constexpr std::uint64_t kPiece = 128 << 10;
constexpr std::chrono::milliseconds kPause{300};  // before the same question is asked again

}  // namespace

const std::string& path_of(const TaskView& task, OutputStream which) {
  return which == OutputStream::out ? task.stdout_path : task.stderr_path;
}

std::uint64_t written_bytes(const TaskView& task, OutputStream which) {
  return which == OutputStream::out ? task.stdout_bytes : task.stderr_bytes;
}

wire::OutputWant want_of(const TaskView& task, OutputStream which) {
  wire::OutputWant want;
  want.task = task.id;
  want.attempt = task.attempt;
  want.is_stderr = which == OutputStream::err;
  return want;
}

OutputFollow::OutputFollow(const PeopleServices& services, TaskView task, OutputStream which, std::uint64_t offset,
                           std::uint64_t tail)
    : services_(services), which_(which), task_(std::move(task)), offset_(offset), tail_(tail) {}

void OutputFollow::start(HttpResponder& responder, HttpReply head) {
  stream_ = responder.stream(std::move(head), [signals = signals_] { signals->is_gone = true; });
  if (stream_ == nullptr) return;
  signals_->has_ended = is_final(task_.status);
  if (!signals_->has_ended) {
    services_.host.watch(task_.id.value, std::chrono::hours(24 * 365),
                         [signals = signals_](bool) { signals->has_ended = true; });
  }
  services_.follower.add([self = shared_from_this()] { return self->step(); });
}

// Questions are asked without the mutex: they may be answered at once.
bool OutputFollow::step() {
  Next next = Next::rest;
  {
    const std::lock_guard lock(mutex_);
    next = decide();
    if (next == Next::ask_node || next == Next::look_again) is_asking_ = true;
  }
  if (next == Next::ask_node) ask_node();
  if (next == Next::look_again) look_again();
  return next != Next::stop;
}

OutputFollow::Next OutputFollow::decide() {
  // Read before the file: what was written before the end is then not missed.
  const bool has_ended = signals_->has_ended;
  bool has_sent = false;
  const bool sees_all = send_own_view(has_sent);
  if (signals_->is_gone) return Next::stop;
  if (has_sent) return Next::rest;
  const bool knows_end = is_final(task_.status);
  if (has_ended && knows_end && offset_ >= written_bytes(task_, which_)) {
    stream_->close();
    return Next::stop;
  }
  if (is_asking_ || Clock::now() < ask_at_ || !stream_->has_room()) return Next::rest;
  if (has_ended && !knows_end) return Next::look_again;
  if (sees_all) return Next::rest;
  return task_.node.empty() ? Next::look_again : Next::ask_node;
}

bool OutputFollow::send_own_view(bool& has_sent) {
  const std::string& path = path_of(task_, which_);
  if (tail_ > 0) {
    const auto offset = offset_of_last_lines(path, tail_);
    if (!offset) return false;
    offset_ = *offset;
    tail_ = 0;
  }
  while (!signals_->is_gone && stream_->has_room()) {
    const auto range = read_output(path, offset_, kPiece);
    if (!range) return false;
    if (range->bytes.empty()) return offset_ <= range->size && offset_ >= written_bytes(task_, which_);
    has_sent = true;
    send(range->bytes);
  }
  return true;
}

void OutputFollow::send(std::string_view bytes) {
  offset_ += bytes.size();
  if (!stream_->write(bytes)) signals_->is_gone = true;
}

void OutputFollow::ask_node() {
  wire::OutputWant want;
  std::string node;
  {
    const std::lock_guard lock(mutex_);
    want = want_of(task_, which_);
    want.offset = offset_;
    want.tail = tail_;
    want.limit = kPiece;
    node = task_.node;
  }
  services_.requests.ask(node, want,
                         [self = shared_from_this()](const Result<wire::OutputPart>& part) { self->take(part); });
}

void OutputFollow::take(const Result<wire::OutputPart>& part) {
  const std::lock_guard lock(mutex_);
  is_asking_ = false;
  const bool is_next = part && (tail_ > 0 || part->offset == offset_);
  if (!is_next || part->bytes.empty()) {
    ask_at_ = Clock::now() + kPause;
    // A task that waits again, or was taken over elsewhere, is another attempt.
    if (!is_final(task_.status)) task_.node.clear();
    return;
  }
  offset_ = part->offset;
  tail_ = 0;
  send(part->bytes);
}

void OutputFollow::look_again() {
  services_.queries.view_task(task_.id, [self = shared_from_this()](Result<TaskView> task) {
    const std::lock_guard lock(self->mutex_);
    self->is_asking_ = false;
    self->ask_at_ = Clock::now() + (task && !task->node.empty() ? std::chrono::milliseconds(0) : kPause);
    if (task) self->task_ = std::move(*task);
  });
}

}  // namespace hakuriver::service
