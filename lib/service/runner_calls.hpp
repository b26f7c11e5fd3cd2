// What the agent asks of the host, as HTTP; and what comes back, as an event.
#pragma once

#include <functional>

#include "hakuriver/caller.hpp"
#include "hakuriver/runner/events.hpp"
#include "service/call_lane.hpp"

namespace hakuriver::service {

// Takes the event that a call ends with: an answer, a refusal, or a failure. Called on the lane's thread.
using PostEvent = std::function<void(decltype(RunnerEvent::what))>;

CallLane::Ask ask_host(runner_effect::SayHello effect, PostEvent post);
CallLane::Ask ask_host(runner_effect::Register effect, PostEvent post);
CallLane::Ask ask_host(runner_effect::AskOrders effect, PostEvent post);
CallLane::Ask ask_host(runner_effect::SendReport effect, PostEvent post);
CallLane::Ask ask_host(runner_effect::SayGoodbye effect, PostEvent post);

}  // namespace hakuriver::service
