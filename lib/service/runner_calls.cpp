#include "service/runner_calls.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "wire/node_messages.hpp"

namespace hakuriver::service {
namespace {

using What = decltype(RunnerEvent::what);

constexpr std::chrono::seconds kAnswerDeadline{15};
constexpr std::chrono::seconds kPollDeadline{65};  // the host holds a poll for up to 50 s
constexpr std::size_t kMaxQuoted = 200;

Result<Unit> decode_nothing(std::string_view) { return Unit{}; }

std::string quoted(std::string_view body) {
  const std::string_view start = body.substr(0, kMaxQuoted);
  return start.empty() ? std::string{} : ": " + std::string(start);
}

// A host that answers but does not take the message. It is asked again, later and later, whatever the reason: tokens
// and proxies are put right while runners wait.
What refusal_of(CallId call, const HttpReply& reply) {
  NodeRefusal refusal{Refusal::overloaded, "status " + std::to_string(reply.status) + quoted(reply.body)};
  if (reply.status == 401) refusal.message = "it does not accept this runner's token (401)";
  if (auto decoded = wire::decode_node_refusal(reply.body); decoded && (reply.status == 409 || reply.status == 503)) {
    refusal = std::move(*decoded);
  }
  return runner_event::CallRefused{call, std::move(refusal)};
}

template <class Answer>
What event_of(CallId call, const Result<HttpReply>& reply, Result<Answer> (*decode)(std::string_view)) {
  if (!reply) return runner_event::CallFailed{call, reply.error().message};
  if (reply->status != 200) return refusal_of(call, *reply);
  auto answer = decode(reply->body);
  if (!answer) return runner_event::CallFailed{call, "an answer that cannot be read: " + answer.error().message};
  return runner_event::Answered<Answer>{call, std::move(*answer)};
}

template <class Message, class Answer>
CallLane::Ask make_ask(std::string path, runner_effect::Call<Message> effect, PostEvent post,
                       Result<Answer> (*decode)(std::string_view), std::chrono::milliseconds deadline) {
  const CallId call = effect.call;
  CallLane::Ask ask;
  ask.deadline = deadline;
  ask.make = [path = std::move(path), message = std::make_shared<const Message>(std::move(effect.message))] {
    HttpRequest request;
    request.method = "POST";
    request.path = path;
    request.body = wire::encode(*message);
    return request;
  };
  ask.take = [call, decode, post = std::move(post)](const Result<HttpReply>& reply) {
    post(event_of(call, reply, decode));
  };
  return ask;
}

}  // namespace

CallLane::Ask ask_host(runner_effect::SayHello effect, PostEvent post) {
  return make_ask("/api/v1/node/hello", std::move(effect), std::move(post), wire::decode_introduction, kAnswerDeadline);
}

CallLane::Ask ask_host(runner_effect::Register effect, PostEvent post) {
  return make_ask("/api/v1/node/register", std::move(effect), std::move(post), wire::decode_registration_answer,
                  kAnswerDeadline);
}

CallLane::Ask ask_host(runner_effect::AskOrders effect, PostEvent post) {
  return make_ask("/api/v1/node/poll", std::move(effect), std::move(post), wire::decode_order_bundle, kPollDeadline);
}

CallLane::Ask ask_host(runner_effect::SendReport effect, PostEvent post) {
  return make_ask("/api/v1/node/report", std::move(effect), std::move(post), wire::decode_receipt, kAnswerDeadline);
}

CallLane::Ask ask_host(runner_effect::SayGoodbye effect, PostEvent post) {
  return make_ask("/api/v1/node/goodbye", std::move(effect), std::move(post), decode_nothing, kAnswerDeadline);
}

}  // namespace hakuriver::service
