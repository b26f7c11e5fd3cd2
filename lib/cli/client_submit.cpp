#include "cli/client_submit.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "cli/client_follow.hpp"
#include "cli/client_wait.hpp"
#include "cli/exit_status.hpp"
#include "platform/random.hpp"
#include "wire/people.hpp"
#include "wire/submission.hpp"

namespace hakuriver::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// For how long a host that cannot be reached is tried again: it may only be restarting.
constexpr seconds kPatience{30};
constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{1000};

// Whether the host did not even look at the submission, or has no node yet. Where it refused every target, it did.
bool is_worth_repeating(const Result<HttpReply>& reply) {
  if (!reply) return reply.error().code == Errc::unavailable;
  if (!is_passing(reply->status)) return false;
  const auto refused = wire::decode_refused_targets(reply->body);
  return refused.empty() || (refused.size() == 1 && refused[0].reason == kNoNodeIsOnline);
}

std::string reason_of(const Result<HttpReply>& reply) {
  if (!reply) return reply.error().message;
  if (!wire::decode_refused_targets(reply->body).empty()) return std::string(kNoNodeIsOnline);
  const std::string detail = wire::decode_error(reply->body);
  return "the host answered " + std::to_string(reply->status) + (detail.empty() ? "" : ": " + detail);
}

// The submission id makes a repetition safe: the host answers the same again and starts nothing twice.
Result<HttpReply> send_until_taken(ClientSession& session, const SubmitRequest& request) {
  const http::HttpCall call{.method = "POST",
                            .path = "/api/v1/batches",
                            .body = wire::encode_batch(request),
                            .headers = {{"Idempotency-Key", request.submission_id}},
                            .is_repeatable = true};
  const auto until = Clock::now() + kPatience;
  milliseconds pause = kFirstPause;
  bool has_told = false;
  for (;;) {
    auto reply = session.host().send(call);
    if (reply && reply->status == 401 && session.finds_token()) continue;
    if (!is_worth_repeating(reply) || Clock::now() + pause >= until) return reply;
    if (!has_told && pause > kFirstPause) {
      session.complain(reason_of(reply) + "; trying again for 30 s");
      has_told = true;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

void tell_failed_targets(ClientSession& session, const std::vector<FailedTarget>& failed) {
  for (const auto& target : failed) session.complain(target.target + ": " + target.reason);
}

int refuse(ClientSession& session, const HttpReply& reply) {
  const auto failed = wire::decode_refused_targets(reply.body);
  if (failed.empty()) return session.fail(reply);
  tell_failed_targets(session, failed);
  return kExitFailed;
}

bool print_answer(ClientSession& session, const SubmitAnswer& answer, const std::string& body) {
  if (session.options().prints_json) return session.print(wire::pretty(body) + "\n");
  std::string lines;
  for (std::uint64_t i = 0; i < answer.count; ++i) lines += to_string(task_of(answer.batch, i)) + "\n";
  return session.print(lines);
}

// All of a file or of standard input; bounded, for the host takes no more.
Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t kMostBytes = std::size_t{8} << 20;
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  const std::string name = path == "-" ? "standard input" : "'" + path + "'";
  if (!in) return Error{Errc::not_found, "--sweep: " + name + " cannot be read"};
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMostBytes) return Error{Errc::invalid_argument, "--sweep: " + name + " has more than 8 MiB"};
  return text;
}

// As the host takes it, and checked as the host checks it.
Result<SubmitRequest> read_sweep(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return text.error();
  auto submission = wire::decode_batch(*text);
  if (const auto* invalid = std::get_if<wire::InvalidInput>(&submission)) {
    return Error{Errc::invalid_argument, "--sweep: " + path + ": " + invalid->error().message};
  }
  auto& request = *std::get_if<SubmitRequest>(&submission);
  if (!request.spec.sweep) return Error{Errc::invalid_argument, "--sweep: " + path + ": 'sweep' is required"};
  return std::move(request);
}

}  // namespace

int submit_sweep(ClientSession& session) {
  auto request = read_sweep(session.options().sweep_file);
  if (!request) return session.fail(request.error());
  if (request->submission_id.empty()) {
    auto id = platform::random_hex(16);
    if (!id) return session.fail(id.error());
    request->submission_id = std::move(*id);
  }
  const auto reply = send_until_taken(session, *request);
  if (!reply) return session.fail(reply.error());
  if (reply->status / 100 != 2) return refuse(session, *reply);
  const auto answer = wire::decode_submit_answer(reply->body);
  if (!answer) {
    return session.fail(Error{Errc::internal, "the host's answer cannot be read: " + answer.error().message});
  }
  tell_failed_targets(session, answer->failed_targets);
  if (session.options().follows) return follow(session, answer->batch, answer->count);
  const bool as_json = session.options().prints_json;
  const bool is_printed = session.print(as_json ? wire::pretty(reply->body) + "\n" : to_string(answer->batch) + "\n");
  return is_printed ? kExitGood : kExitFailed;
}

int submit(ClientSession& session) {
  SubmitRequest request = session.options().request;
  auto id = platform::random_hex(16);
  if (!id) return session.fail(id.error());
  request.submission_id = std::move(*id);
  const auto reply = send_until_taken(session, request);
  if (!reply) return session.fail(reply.error());
  if (reply->status / 100 != 2) return refuse(session, *reply);
  const auto answer = wire::decode_submit_answer(reply->body);
  if (!answer)
    return session.fail(Error{Errc::internal, "the host's answer cannot be read: " + answer.error().message});
  tell_failed_targets(session, answer->failed_targets);
  const bool is_printed = print_answer(session, *answer, reply->body);
  if (!is_printed) session.complain("standard output is closed or full: the ids could not be printed");
  if (!session.options().waits) return is_printed ? kExitGood : kExitFailed;
  const int outcome = wait_for_submitted(session, *answer);
  const bool all_taken = answer->failed_targets.empty() && is_printed;
  return outcome == kExitGood && !all_taken ? kExitFailed : outcome;
}

}  // namespace hakuriver::cli
