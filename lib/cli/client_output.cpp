#include "cli/client_output.hpp"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>

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

std::optional<std::uint64_t> number_header(const HttpReply& reply, const char* name) {
  for (const auto& [header, value] : reply.headers) {
    if (::strcasecmp(header.c_str(), name) != 0) continue;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc{} && end == value.data() + value.size()) return number;
  }
  return std::nullopt;
}

bool is_good(const Result<HttpReply>& reply) { return reply && reply->status / 100 == 2; }

class OutputReader {
 public:
  explicit OutputReader(ClientSession& session) : session_(session) {
    const ClientOptions& options = session.options();
    task_ = "/api/v1/tasks/" + std::to_string(options.ids.front());
    path_ = task_ + (options.action == ClientAction::show_stderr ? "/stderr" : "/stdout");
  }

  // What there is now. A reply holds a part of a long output; what is written meanwhile is not waited for.
  int read_what_is_there() {
    const auto first = receive(first_query());
    if (!is_good(first)) return give_up(first);
    const std::uint64_t size = number_header(*first, "X-Output-Size").value_or(received_);
    position_ = number_header(*first, "X-Output-Offset").value_or(size - std::min(size, received_)) + received_;
    while (position_ < size && !is_reader_gone_) {
      const std::uint64_t before = received_;
      const auto next = receive("?offset=" + std::to_string(position_) +
                                "&limit=" + std::to_string(std::min(size - position_, kMostAtOnce)));
      if (!is_good(next)) return give_up(next);
      if (received_ == before) break;
      position_ += received_ - before;
    }
    return is_reader_gone_ ? kExitFailed : kExitGood;
  }

  int follow() {
    for (;;) {
      const std::uint64_t before = received_;
      const auto reply = receive("?follow=1&offset=" + std::to_string(position_));
      if (is_reader_gone_) return kExitFailed;
      position_ += received_ - before;
      if (received_ != before) forget_absence();
      if (reply && !is_good(reply) && !is_passing(reply->status)) return session_.fail(*reply);
      if (is_good(reply) && is_over()) return kExitGood;
      if (!is_good(reply) && !is_only_quiet(reply)) tell_absence(reply);
      std::this_thread::sleep_for(pause_);
      pause_ = std::min(2 * pause_, kLongestPause);
    }
  }

 private:
  static constexpr std::uint64_t kMostAtOnce = std::uint64_t{64} << 20;

  std::string first_query() const {
    const auto& tail = session_.options().tail;
    if (!tail) return {};
    // Nothing of it: only its size is of interest.
    if (*tail == 0) return "?offset=" + std::to_string(std::uint64_t{1} << 62) + "&limit=1";
    return "?tail=" + std::to_string(*tail);
  }

  Result<HttpReply> receive(const std::string& query) {
    has_begun_ = std::chrono::steady_clock::now();
    return session_.host().receive({.path = path_ + query, .read_timeout = kSilence, .is_repeatable = true},
                                   [this](std::string_view bytes) {
                                     received_ += bytes.size();
                                     is_reader_gone_ = !session_.print(bytes);
                                     return !is_reader_gone_;
                                   });
  }

  int give_up(const Result<HttpReply>& reply) {
    if (is_reader_gone_) return kExitFailed;
    return reply ? session_.fail(*reply) : session_.fail(reply.error());
  }

  // The host ends a stream when the task has ended, but also when it stops itself.
  bool is_over() {
    const auto reply = session_.get(task_);
    if (!reply || reply->status != 200) return false;
    const auto task = wire::decode_task(reply->body);
    if (!task || !is_final(task->status)) return false;
    const bool is_stderr = session_.options().action == ClientAction::show_stderr;
    return position_ >= (is_stderr ? task->stderr_bytes : task->stdout_bytes);
  }

  bool is_only_quiet(const Result<HttpReply>& reply) const {
    return !reply && std::chrono::steady_clock::now() - has_begun_ >= kSilence;
  }

  void tell_absence(const Result<HttpReply>& reply) {
    const std::string reason =
        reply ? "the host answered " + std::to_string(reply->status) : std::string(reply.error().message);
    if (!has_told_) session_.complain(reason + "; waiting for it to come back");
    has_told_ = true;
  }

  void forget_absence() {
    has_told_ = false;
    pause_ = kFirstPause;
  }

  ClientSession& session_;
  std::string task_;
  std::string path_;
  std::uint64_t received_ = 0;  // bytes, in all
  std::uint64_t position_ = 0;  // in the file, of the next byte
  std::chrono::steady_clock::time_point has_begun_{};
  milliseconds pause_ = kFirstPause;
  bool is_reader_gone_ = false;
  bool has_told_ = false;
};

}  // namespace

int show_output(ClientSession& session) {
  OutputReader reader(session);
  const int exit = reader.read_what_is_there();
  return exit == kExitGood && session.options().follows ? reader.follow() : exit;
}

}  // namespace hakuriver::cli
