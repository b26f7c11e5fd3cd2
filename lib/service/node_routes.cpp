#include "service/node_routes.hpp"

#include <utility>
#include <variant>

#include "wire/node_messages.hpp"

namespace hakuriver::service {

namespace {

std::string encode_answer(const Unit&) { return "{}"; }
template <class Answer>
std::string encode_answer(const Answer& answer) {
  return wire::encode(answer);
}

template <class Action>
HttpReply reply_of(const Result<HostAction>& action) {
  if (!action) return error_reply(action.error());
  const auto& answer = std::get<Action>(*action).answer;
  HttpReply reply;
  if (const auto* refusal = std::get_if<NodeRefusal>(&answer)) {
    reply.status = 409;
    reply.body = wire::encode(*refusal);
  } else {
    reply.body = encode_answer(std::get<0>(answer));
  }
  return reply;
}

// A route for one kind of message: decode, post, and answer when the host has decided.
template <class Event, class Action, class Message>
RouteFunction route_for(HostService& host, Result<Message> (*decode)(std::string_view)) {
  return [&host, decode](RouteCall call) {
    auto message = decode(call.request.body);
    if (!message) {
      call.responder->reply(error_reply(message.error()));
      return;
    }
    Event event;
    event.message = std::move(*message);
    host.post(std::move(event), [responder = std::move(call.responder)](const Result<HostAction>& action) {
      responder->reply(reply_of<Action>(action));
    });
  };
}

}  // namespace

std::vector<Route> node_routes(HostService& host) {
  using namespace host_event;
  using namespace host_action;
  return {
      {"POST", "/api/v1/node/hello", route_for<SayHello, AnswerHello>(host, wire::decode_hello)},
      {"POST", "/api/v1/node/register", route_for<Register, AnswerRegistration>(host, wire::decode_registration)},
      {"POST", "/api/v1/node/poll", route_for<AskOrders, AnswerPoll>(host, wire::decode_poll)},
      {"POST", "/api/v1/node/report", route_for<TakeReport, AnswerReport>(host, wire::decode_report)},
      {"POST", "/api/v1/node/goodbye", route_for<SayGoodbye, AnswerGoodbye>(host, wire::decode_goodbye)},
  };
}

}  // namespace hakuriver::service
