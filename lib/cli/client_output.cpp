#include "cli/client_output.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "cli/exit_status.hpp"
#include "wire/people.hpp"

namespace hakuriver::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A quiet task sends nothing, and so does a host that is gone: now and then it is asked anew, from where we are.
constexpr seconds kSilence{60};
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{2000};

class OutputReader {
 public:
  explicit OutputReader(ClientSession& session) : session_(session) {
    const ClientOptions& options = session.options();
    task_ = "/api/v1/tasks/" + std::to_string(options.ids.front());
    path_ = task_ + (options.action == ClientAction::show_stderr ? "/stderr" : "/stdout");
  }

  int read_once() {
    const auto& tail = session_.options().tail;
    const auto reply = receive(tail ? "?tail=" + std::to_string(*tail) : "");
    if (is_reader_gone_) return kExitFailed;
    if (!reply) return session_.fail(reply.error());
    return reply->status / 100 == 2 ? kExitGood : session_.fail(*reply);
  }

  int follow() {
    for (;;) {
      const std::uint64_t before = received_;
      const auto reply = receive(query());
      if (is_reader_gone_) return kExitFailed;
      if (received_ != before) forget_absence();
      if (reply && reply->status / 100 != 2 && !is_passing(reply->status)) return session_.fail(*reply);
      const bool is_whole = reply && reply->status / 100 == 2;
      if (is_whole && is_over()) return kExitGood;
      if (!can_resume()) return broken(reply);
      if (!is_whole && !is_only_quiet(reply)) tell_absence(reply);
      std::this_thread::sleep_for(pause_);
      pause_ = std::min(2 * pause_, kLongestPause);
    }
  }

 private:
  Result<HttpReply> receive(const std::string& query) {
    has_begun_ = std::chrono::steady_clock::now();
    return session_.host().receive({.path = path_ + query, .read_timeout = kSilence, .is_repeatable = true},
                                   [this](std::string_view bytes) {
                                     received_ += bytes.size();
                                     is_reader_gone_ = !session_.print(bytes);
                                     return !is_reader_gone_;
                                   });
  }

  std::string query() const {
    const auto& tail = session_.options().tail;
    if (tail && received_ == 0) return "?follow=1&tail=" + std::to_string(*tail);
    return "?follow=1&offset=" + std::to_string(received_);
  }

  // With --tail it is not known where in the file we are, once there was something.
  bool can_resume() const { return !session_.options().tail || received_ == 0; }

  // The host ends a stream when the task has ended, but also when it stops itself.
  bool is_over() {
    const auto reply = session_.get(task_);
    if (!reply || reply->status != 200) return false;
    const auto task = wire::decode_task(reply->body);
    if (!task || !is_final(task->status)) return false;
    const bool is_stderr = session_.options().action == ClientAction::show_stderr;
    return session_.options().tail || received_ >= (is_stderr ? task->stderr_bytes : task->stdout_bytes);
  }

  bool is_only_quiet(const Result<HttpReply>& reply) const {
    return !reply && std::chrono::steady_clock::now() - has_begun_ >= kSilence;
  }

  void tell_absence(const Result<HttpReply>& reply) {
    if (!has_told_) session_.complain(reason_of(reply) + "; waiting for it to come back");
    has_told_ = true;
  }

  void forget_absence() {
    has_told_ = false;
    pause_ = kFirstPause;
  }

  int broken(const Result<HttpReply>& reply) {
    session_.complain(reason_of(reply) + "; the last lines may be missing");
    return kExitUnreachable;
  }

  static std::string reason_of(const Result<HttpReply>& reply) {
    if (!reply) return reply.error().message;
    return "the host answered " + std::to_string(reply->status);
  }

  ClientSession& session_;
  std::string task_;
  std::string path_;
  std::uint64_t received_ = 0;
  std::chrono::steady_clock::time_point has_begun_{};
  milliseconds pause_ = kFirstPause;
  bool is_reader_gone_ = false;
  bool has_told_ = false;
};

}  // namespace

int show_output(ClientSession& session) {
  OutputReader reader(session);
  return session.options().follows ? reader.follow() : reader.read_once();
}

}  // namespace hakuriver::cli
