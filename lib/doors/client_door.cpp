#include <algorithm>
#include <utility>

#include "doors/http_caller.hpp"
#include "hakuriver/client.hpp"
#include "wire/people.hpp"
#include "wire/submission.hpp"

namespace hakuriver {
inline namespace v1 {

namespace {

constexpr std::chrono::milliseconds kDeadline{30'000};

Errc code_of(int status) noexcept {
  switch (status) {
    case 400:
    case 413:
    case 422:
      return Errc::invalid_argument;
    case 401:
    case 403:
    case 421:
      return Errc::denied;
    case 404:
      return Errc::not_found;
    case 409:
      return Errc::conflict;
    case 503:
      return Errc::unavailable;
    default:
      return Errc::internal;
  }
}

Result<std::string> body_of(HttpCaller& caller, const HttpRequest& request, std::chrono::milliseconds deadline) {
  auto reply = caller.call(request, deadline);
  if (!reply) return reply.error();
  if (reply->status / 100 == 2) return std::move(reply->body);
  return Error{code_of(reply->status), wire::decode_error(reply->body)};
}

HttpRequest get(std::string path) {
  HttpRequest request;
  request.method = "GET";
  request.path = std::move(path);
  return request;
}

HttpRequest post(std::string path, std::string body = "{}") {
  HttpRequest request;
  request.method = "POST";
  request.path = std::move(path);
  request.headers["content-type"] = "application/json";
  request.body = std::move(body);
  return request;
}

template <class View>
Result<View> view_of(const Result<std::string>& body, Result<View> (*decode)(std::string_view)) {
  if (!body) return body.error();
  return decode(*body);
}

// The host holds a request for so long at most; a longer wait is several.
template <class View, class IsOver>
Result<View> wait_for(HttpCaller& caller, const std::string& path, std::chrono::milliseconds at_most,
                      Result<View> (*decode)(std::string_view), IsOver is_over) {
  constexpr std::chrono::seconds kLongest{60};
  for (;;) {
    const auto seconds =
        std::min(kLongest, std::chrono::duration_cast<std::chrono::seconds>(at_most + std::chrono::milliseconds(999)));
    HttpRequest request = get(path);
    if (seconds.count() > 0) request.query.emplace_back("wait", std::to_string(seconds.count()));
    Result<View> view = view_of(body_of(caller, request, kDeadline + seconds), decode);
    if (!view || is_over(*view) || at_most <= seconds) return view;
    at_most -= seconds;
  }
}

}  // namespace

Result<CallerFactory> connect_to(std::string_view url, std::string token) {
  return doors::make_http_callers(url, std::move(token));
}

Client::Client(const CallerFactory& connect) : caller_(connect()) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<SubmitAnswer> Client::submit(const SubmitRequest& request) {
  return view_of(body_of(*caller_, post("/api/v1/batches", wire::encode_batch(request)), kDeadline),
                 wire::decode_submit_answer);
}

Result<TaskView> Client::task(TaskId id) { return wait(id, std::chrono::milliseconds(0)); }

Result<TaskView> Client::wait(TaskId id, std::chrono::milliseconds at_most) {
  return wait_for(*caller_, "/api/v1/tasks/" + to_string(id), at_most, wire::decode_task,
                  [](const TaskView& view) { return is_final(view.status); });
}

Result<BatchView> Client::batch(BatchId id) { return wait(id, std::chrono::milliseconds(0)); }

Result<BatchView> Client::wait(BatchId id, std::chrono::milliseconds at_most) {
  return wait_for(*caller_, "/api/v1/batches/" + to_string(id), at_most, wire::decode_batch_view,
                  [](const BatchView& view) { return view.is_done(); });
}

Result<std::string> Client::output(TaskId id, TaskOutput which) {
  const std::string stream = which == TaskOutput::standard_output ? "/stdout" : "/stderr";
  return body_of(*caller_, get("/api/v1/tasks/" + to_string(id) + stream), kDeadline);
}

Result<CommandAnswer> Client::kill(TaskId id) {
  return view_of(body_of(*caller_, post("/api/v1/tasks/" + to_string(id) + "/kill"), kDeadline),
                 wire::decode_command_answer);
}

Result<CommandAnswer> Client::kill(BatchId id) { return kill(TaskId{id.value}); }

Result<std::vector<NodeView>> Client::nodes() {
  return view_of(body_of(*caller_, get("/api/v1/nodes"), kDeadline), wire::decode_nodes);
}

}  // namespace v1
}  // namespace hakuriver
