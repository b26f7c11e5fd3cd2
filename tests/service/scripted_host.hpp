// A host that does as it is told: it answers the node routes of one runner, and keeps what the runner said.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/http.hpp"
#include "hakuriver/messages.hpp"
#include "wire/node_messages.hpp"

namespace hakuriver::test {

constexpr std::chrono::seconds kPatience{20};

class ScriptedHost {
 public:
  // What tests may look at, under the host's lock.
  struct Seen {
    std::vector<Hello> hellos;
    std::vector<Registration> registrations;
    std::vector<Report> reports;  // without repeated events
    std::vector<NodeEvent> events;
    std::uint64_t goodbyes = 0;
    std::uint64_t calls = 0;

    std::vector<KeptAttempt> ended() const {
      std::vector<KeptAttempt> found;
      for (const auto& event : events) {
        if (event.kind == NodeEventKind::ended) found.push_back(event.attempt);
      }
      return found;
    }
  };

  ~ScriptedHost() { finish_polls(503); }

  HttpHandler handler() {
    return [this](HttpRequest request, std::shared_ptr<HttpResponder> responder) { answer(request, responder); };
  }

  // Every call is answered with this status and body from now on; 200: as usual.
  void answer_with(int status, std::string body = {}) {
    {
      const std::lock_guard lock(mutex_);
      status_ = status;
      body_ = std::move(body);
    }
    if (status != 200) finish_polls(status);
  }

  // Orders tasks of a batch to be started; the first has the id batch + 1.
  void order_start(BatchId batch, std::uint64_t count, std::shared_ptr<const TaskSpec> spec,
                   std::optional<std::uint32_t> numa = {}) {
    const std::lock_guard lock(mutex_);
    specs_[batch] = std::move(spec);
    orders_.push_back({++sequence_, OrderKind::start, batch, task_of(batch, 0), count, Attempt{1}, numa});
    answer_poll();
  }

  void order(OrderKind kind, BatchId batch, TaskId task) {
    const std::lock_guard lock(mutex_);
    orders_.push_back({++sequence_, kind, batch, task, 1, Attempt{1}, std::nullopt});
    answer_poll();
  }

  // Waits until `holds(seen)`; fails the test when it never does.
  template <class Holds>
  void wait_until(const Holds& holds) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, kPatience, [&] { return holds(seen_); }));
  }
  Seen seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void answer(const HttpRequest& request, const std::shared_ptr<HttpResponder>& responder) {
    const std::lock_guard lock(mutex_);
    // It wants no output.
    if (request.path == "/api/v1/node/output") {
      output_ = responder;
      return;
    }
    ++seen_.calls;
    changed_.notify_all();
    if (status_ != 200) return responder->reply({.status = status_, .body = body_});
    if (request.path == "/api/v1/node/hello") return take(*wire::decode_hello(request.body), responder);
    if (request.path == "/api/v1/node/register") return take(*wire::decode_registration(request.body), responder);
    if (request.path == "/api/v1/node/poll") return take(*wire::decode_poll(request.body), responder);
    if (request.path == "/api/v1/node/report") return take(*wire::decode_report(request.body), responder);
    ++seen_.goodbyes;
    responder->reply({.body = "{}"});
  }

  void take(Hello hello, const std::shared_ptr<HttpResponder>& responder) {
    seen_.hellos.push_back(std::move(hello));
    responder->reply({.body = wire::encode(Introduction{std::string(32, 'a'), Epoch{3}, 16 + seen_.hellos.size()})});
  }

  void take(Registration registration, const std::shared_ptr<HttpResponder>& responder) {
    std::uint64_t confirmed = registration.confirmed;
    for (const auto& kept : registration.attempts) confirmed = std::max(confirmed, kept.record);
    run_ = registration.run;
    sequence_ = 0;
    orders_.clear();
    next_event_ = 1;
    confirmed_ = confirmed;
    seen_.registrations.push_back(std::move(registration));
    responder->reply({.body = wire::encode(RegistrationAnswer{confirmed, std::chrono::milliseconds{100}})});
  }

  void take(const Poll& poll, std::shared_ptr<HttpResponder> responder) {
    std::erase_if(orders_, [&poll](const Order& order) { return order.sequence <= poll.received; });
    poll_ = std::move(responder);
    answer_poll();
  }

  void take(Report report, const std::shared_ptr<HttpResponder>& responder) {
    for (std::size_t i = 0; i < report.events.size(); ++i) {
      if (report.first_event + i != next_event_) continue;
      ++next_event_;
      confirmed_ = std::max(confirmed_, report.events[i].attempt.record);
      seen_.events.push_back(report.events[i]);
    }
    seen_.reports.push_back(std::move(report));
    responder->reply({.body = wire::encode(Receipt{next_event_ - 1, confirmed_})});
  }

  void answer_poll() {
    if (orders_.empty() || poll_ == nullptr) return;
    OrderBundle bundle{Epoch{3}, run_, orders_, {}};
    for (const auto& order : orders_) {
      if (order.kind == OrderKind::start) bundle.specs[order.batch] = specs_.at(order.batch);
    }
    std::exchange(poll_, nullptr)->reply({.body = wire::encode(bundle)});
  }

  void finish_polls(int status) {
    const std::lock_guard lock(mutex_);
    if (poll_ != nullptr) std::exchange(poll_, nullptr)->reply({.status = status, .body = "{}"});
    output_.reset();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Seen seen_;
  int status_ = 200;
  std::string body_;
  RunId run_;
  std::vector<Order> orders_;
  std::map<BatchId, std::shared_ptr<const TaskSpec>> specs_;
  std::uint64_t sequence_ = 0;
  std::uint64_t next_event_ = 1;
  std::uint64_t confirmed_ = 0;
  std::shared_ptr<HttpResponder> poll_;
  std::shared_ptr<HttpResponder> output_;
};

}  // namespace hakuriver::test
