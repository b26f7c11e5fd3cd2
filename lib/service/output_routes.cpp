#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "service/people_routes.hpp"
#include "wire/json_text.hpp"
#include "wire/people.hpp"

namespace hakuriver::service {

namespace {

enum class Stream : std::uint8_t { out, err };

struct OutputQuery {
  bool is_ours = false;  // of the routes below /api/v1
  std::string content_type;
  std::uint64_t offset = 0;
  std::uint64_t limit = 0;
  std::uint64_t tail = 0;  // 0: from the offset
  bool follow = false;
};

// A reply holds this much at most; longer output is had in several, or followed.
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;

Result<OutputQuery> query_of(const RouteCall& call) {
  const auto offset = number_query(call, "offset", 0, 0, std::uint64_t{1} << 62);
  const auto limit = number_query(call, "limit", kMostBytes, 1, kMostBytes);
  const auto tail = number_query(call, "tail", 0, 0, 100'000'000);
  const auto follow = number_query(call, "follow", 0, 0, 1);
  for (const auto* each : {&offset, &limit, &tail, &follow}) {
    if (!*each) return each->error();
  }
  // The seed era calls output text, and so it gets UTF-8; what it is, nobody knows.
  const bool is_ours = call.request.path.rfind("/api/v1/", 0) == 0;
  return OutputQuery{is_ours, is_ours ? "application/octet-stream" : "text/plain; charset=utf-8",
                     *offset, *limit,
                     *tail,   *follow == 1};
}

Result<std::uint64_t> first_byte(const std::string& path, const OutputQuery& query) {
  if (query.tail == 0) return query.offset;
  const auto offset = offset_of_last_lines(path, query.tail);
  if (!offset && offset.error().code == Errc::not_found) return std::uint64_t{0};
  return offset;
}

void follow_output(const PeopleServices& services, const std::shared_ptr<HttpResponder>& responder,
                   const TaskView& task, const std::string& path, const std::string& content_type,
                   std::uint64_t offset) {
  auto signals = std::make_shared<OutputFollower::Signals>();
  HttpReply head;
  head.content_type = content_type;
  auto stream = responder->stream(std::move(head), [signals] { signals->is_gone = true; });
  if (stream == nullptr) return;
  signals->is_over = is_final(task.status);
  services.follower.follow(std::move(stream), path, offset, signals);
  if (!signals->is_over) {
    services.host.watch(task.id.value, std::chrono::hours(24 * 365), [signals](bool) { signals->is_over = true; });
  }
}

void send_output(const PeopleServices& services, const std::shared_ptr<HttpResponder>& responder, const TaskView& task,
                 Stream which, const OutputQuery& query) {
  const std::string& path = which == Stream::out ? task.stdout_path : task.stderr_path;
  const auto offset = first_byte(path, query);
  if (!offset) {
    responder->reply(error_reply(offset.error()));
    return;
  }
  if (query.follow) {
    follow_output(services, responder, task, path, query.content_type, *offset);
    return;
  }
  auto range = read_output(path, *offset, query.limit);
  const std::uint64_t expected = which == Stream::out ? task.stdout_bytes : task.stderr_bytes;
  HttpReply reply;
  reply.content_type = query.content_type;
  if (range) {
    reply.headers.emplace_back("X-Output-Size", std::to_string(std::max(range->size, expected)));
    reply.headers.emplace_back("X-Output-Offset", std::to_string(*offset));  // of the body's first byte
    const bool is_text = !query.is_ours && !wire::is_utf8(range->bytes);
    reply.body = is_text ? wire::to_utf8(range->bytes) : std::move(range->bytes);
  } else if (range.error().code != Errc::not_found || expected > 0) {
    reply = error_reply({Errc::unavailable, "the output of task " + to_string(task.id) +
                                                " cannot be read here: " + range.error().message +
                                                " (is shared_dir the same directory on host and node?)"});
  }
  responder->reply(std::move(reply));
}

RouteFunction output_route(const PeopleServices& services, Stream which) {
  return [services, which](RouteCall call) {
    const auto id = parse_id(call.captures[0]);
    const auto query = query_of(call);
    if (!id || !query) {
      call.responder->reply(!id ? error_reply(id.error(), "path", "task_id") : error_reply(query.error(), "query"));
      return;
    }
    services.queries.view_task(
        TaskId{*id}, [services, which, query = *query, responder = std::move(call.responder)](Result<TaskView> task) {
          if (!task) {
            responder->reply(error_reply(task.error()));
          } else {
            send_output(services, responder, *task, which, query);
          }
        });
  };
}

}  // namespace

std::vector<Route> output_routes(const PeopleServices& services) {
  std::vector<Route> routes;
  for (const std::string_view pattern : {"/task/*/stdout", "/api/task/*/stdout", "/api/v1/tasks/*/stdout"}) {
    routes.push_back({"GET", pattern, output_route(services, Stream::out)});
  }
  for (const std::string_view pattern : {"/task/*/stderr", "/api/task/*/stderr", "/api/v1/tasks/*/stderr"}) {
    routes.push_back({"GET", pattern, output_route(services, Stream::err)});
  }
  return routes;
}

}  // namespace hakuriver::service
