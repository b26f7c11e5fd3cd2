#include "service/output_requests.hpp"

#include <algorithm>
#include <utility>

namespace hakuriver::service {
namespace {

constexpr std::size_t kMostPending = 1'000;

Result<wire::OutputPart> result_of(wire::OutputPart part, const std::string& node) {
  if (part.is_absent) return Error{Errc::not_found, "node '" + node + "' has no such output"};
  if (!part.error.empty()) return Error{Errc::unavailable, "node '" + node + "': " + part.error};
  return part;
}

void reply_with(const std::shared_ptr<HttpResponder>& responder, const std::vector<wire::OutputWant>& wants) {
  responder->reply(HttpReply{.body = wire::encode(wants)});
}

void do_all(const std::vector<std::function<void()>>& deeds) {
  for (const auto& deed : deeds) deed();
}

}  // namespace

OutputRequests::OutputRequests(OutputTimes times) : times_(times), thread_([this] { run(); }) {}

OutputRequests::~OutputRequests() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void OutputRequests::ask(const std::string& node, wire::OutputWant want, Answer answer) {
  Deeds deeds;
  {
    const std::lock_guard lock(mutex_);
    if (pending_.size() < kMostPending) {
      want.number = ++last_number_;
      pending_.emplace(want.number, Pending{node, want, std::move(answer), Clock::now() + times_.answer});
      send(node, deeds);
      changed_.notify_all();
    } else {
      deeds.emplace_back([answer = std::move(answer)] {
        answer(Error{Errc::unavailable, "too much output is being asked for at once"});
      });
    }
  }
  do_all(deeds);
}

void OutputRequests::take(wire::OutputPoll poll, std::shared_ptr<HttpResponder> responder) {
  Deeds deeds;
  {
    const std::lock_guard lock(mutex_);
    accept(std::move(poll.parts), poll.node, deeds);
    // Of two questions of one node the earlier one is of no more use: its runner has gone on.
    Waiting& waiting = waiting_[poll.node];
    if (waiting.responder) deeds.emplace_back([earlier = waiting.responder] { reply_with(earlier, {}); });
    waiting = {std::move(responder), Clock::now() + times_.hold};
    send(poll.node, deeds);
    changed_.notify_all();
  }
  do_all(deeds);
}

// A part that nobody waits for any more is dropped.
void OutputRequests::accept(std::vector<wire::OutputPart> parts, const std::string& node, Deeds& deeds) {
  for (auto& part : parts) {
    const auto found = pending_.find(part.number);
    if (found == pending_.end() || found->second.node != node) continue;
    deeds.emplace_back([answer = std::move(found->second.answer), result = result_of(std::move(part), node)]() mutable {
      answer(std::move(result));
    });
    pending_.erase(found);
  }
}

void OutputRequests::send(const std::string& node, Deeds& deeds) {
  const auto waiting = waiting_.find(node);
  if (waiting == waiting_.end()) return;
  std::vector<wire::OutputWant> wants;
  for (auto& [number, pending] : pending_) {
    if (wants.size() == wire::kMaxOutputParts) break;
    if (pending.node != node || pending.is_sent) continue;
    pending.is_sent = true;
    wants.push_back(pending.want);
  }
  if (wants.empty()) return;
  deeds.emplace_back(
      [responder = std::move(waiting->second.responder), wants = std::move(wants)] { reply_with(responder, wants); });
  waiting_.erase(waiting);
}

std::optional<OutputRequests::Clock::time_point> OutputRequests::next_deadline() const {
  std::optional<Clock::time_point> next;
  for (const auto& [number, pending] : pending_) next = std::min(next.value_or(pending.until), pending.until);
  for (const auto& [node, waiting] : waiting_) next = std::min(next.value_or(waiting.until), waiting.until);
  return next;
}

void OutputRequests::expire(Clock::time_point now, Deeds& deeds) {
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (it->second.until > now) {
      ++it;
      continue;
    }
    deeds.emplace_back([answer = std::move(it->second.answer), node = it->second.node] {
      answer(Error{Errc::unavailable, "node '" + node + "' does not answer"});
    });
    it = pending_.erase(it);
  }
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.until > now) {
      ++it;
      continue;
    }
    deeds.emplace_back([responder = std::move(it->second.responder)] { reply_with(responder, {}); });
    it = waiting_.erase(it);
  }
}

void OutputRequests::run() {
  std::unique_lock lock(mutex_);
  while (!is_over_) {
    Deeds deeds;
    expire(Clock::now(), deeds);
    if (!deeds.empty()) {
      lock.unlock();
      do_all(deeds);
      deeds.clear();
      lock.lock();
      continue;
    }
    if (const auto next = next_deadline()) {
      changed_.wait_until(lock, *next);
    } else {
      changed_.wait(lock);
    }
  }
}

std::vector<Route> output_request_routes(OutputRequests& requests) {
  return {{"POST", "/api/v1/node/output", [&requests](RouteCall call) {
             auto poll = wire::decode_output_poll(call.request.body);
             if (!poll) {
               call.responder->reply(error_reply(poll.error()));
             } else {
               requests.take(std::move(*poll), std::move(call.responder));
             }
           }}};
}

}  // namespace hakuriver::service
