#include "service/runner_routes.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/version.hpp"
#include "wire/json_text.hpp"

namespace hakuriver::service {
namespace {

constexpr std::size_t kMaxListed = 10'000;

std::string_view status_text(LocalStatus status) {
  switch (status) {
    case LocalStatus::starting:
      return "starting";
    case LocalStatus::running:
      return "running";
    case LocalStatus::paused:
      return "paused";
    case LocalStatus::ended:
      return "ended";
  }
  return "ended";
}

void decimal_or_null(wire::ObjectWriter& object, std::string_view name, const std::optional<double>& value) {
  if (value) {
    object.decimal(name, *value);
  } else {
    object.null(name);
  }
}

void write_health(wire::ObjectWriter& object, const NodeHealth& health) {
  object.decimal("cpu_percent", health.cpu_percent);
  object.decimal("memory_percent", health.memory_percent);
  object.number("memory_used_bytes", health.memory_used_bytes);
  object.number("memory_total_bytes", health.memory_total_bytes);
  decimal_or_null(object, "current_avg_temp", health.average_temperature);
  decimal_or_null(object, "current_max_temp", health.max_temperature);
}

std::string health_body(const RunnerState& state, const std::optional<NodeHealth>& health) {
  std::string body;
  wire::ObjectWriter object(body);
  object.text("hostname", state.node);
  object.text("version", HAKURIVER_VERSION);
  object.flag("registered", state.phase == RunnerPhase::registered);
  object.number("running_tasks", state.use.tasks);
  object.number("waiting_tasks", state.queued);
  if (health) write_health(object, *health);
  object.close();
  return body;
}

void write_attempt(std::string& out, AttemptKey key, const LocalAttempt& attempt) {
  wire::ObjectWriter object(out);
  object.id("task_id", key.task.value);
  object.number("attempt", key.attempt.value);
  object.text("status", status_text(attempt.status));
  wire::append_thousandths(object.member("cores"), attempt.resources.millicores);
  object.number("memory_bytes", attempt.resources.memory_bytes);
  if (attempt.numa_node) {
    object.number("numa_node", *attempt.numa_node);
  } else {
    object.null("numa_node");
  }
  object.close();
}

std::string tasks_body(const RunnerState& state) {
  std::vector<AttemptKey> keys;
  keys.reserve(state.attempts.size());
  for (const auto& [key, attempt] : state.attempts) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  if (keys.size() > kMaxListed) keys.resize(kMaxListed);
  std::string body;
  wire::ObjectWriter object(body);
  wire::append_array(object.member("tasks"), keys, [&state](std::string& out, const AttemptKey& key) {
    write_attempt(out, key, state.attempts.at(key));
  });
  object.number("waiting", state.queued);
  object.close();
  return body;
}

HttpReply refusal(int status, std::string_view detail) {
  HttpReply reply;
  reply.status = status;
  wire::ObjectWriter object(reply.body);
  object.text("detail", detail);
  object.close();
  return reply;
}

}  // namespace

HttpHandler make_runner_routes(RunnerService& service, std::function<std::optional<NodeHealth>()> health) {
  return [&service, health = std::move(health)](HttpRequest request, std::shared_ptr<HttpResponder> responder) {
    const bool asks_health = request.path == "/health" || request.path == "/api/health";
    const bool asks_tasks = request.path == "/tasks" || request.path == "/api/tasks";
    if (!asks_health && !asks_tasks) return responder->reply(refusal(404, "a runner answers /health and /tasks"));
    if (request.method != "GET") return responder->reply(refusal(405, "a runner answers GET only"));
    service.ask([asks_tasks, health, responder](const RunnerState& state) {
      responder->reply(HttpReply{.body = asks_tasks ? tasks_body(state) : health_body(state, health())});
    });
  };
}

}  // namespace hakuriver::service
