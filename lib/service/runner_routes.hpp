// What a runner answers where it listens: reads only.
//   GET /health   how the machine is doing, and whether a host knows it
//   GET /tasks    the attempts that run here or whose end the host has not confirmed
#pragma once

#include <functional>
#include <optional>

#include "hakuriver/http.hpp"
#include "hakuriver/node.hpp"
#include "service/runner_service.hpp"

namespace hakuriver::service {

// `health` is called on the thread that serves. The service must outlive the handler's last call; requests that come
// before it serves wait until it does.
HttpHandler make_runner_routes(RunnerService& service, std::function<std::optional<NodeHealth>()> health);

}  // namespace hakuriver::service
