#include <algorithm>
#include <memory>
#include <utility>

#include "service/output_follow.hpp"
#include "service/output_requests.hpp"
#include "service/people_routes.hpp"
#include "wire/json_text.hpp"
#include "wire/people.hpp"

namespace hakuriver::service {

namespace {

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

// The host's own view of the file; none where that cannot be all.
Result<OutputRange> read_own_view(const TaskView& task, OutputStream which, OutputQuery& query) {
  const std::string& path = path_of(task, which);
  if (query.tail > 0) {
    const auto offset = offset_of_last_lines(path, query.tail);
    if (!offset) return offset.error();
    query.offset = *offset;
  }
  auto range = read_output(path, query.offset, query.limit);
  if (range && range->size < written_bytes(task, which)) {
    return Error{Errc::io, "'" + path + "' holds " + std::to_string(range->size) + " of " +
                               std::to_string(written_bytes(task, which)) + " bytes"};
  }
  return range;
}

HttpReply reply_of(OutputRange range, const OutputQuery& query) {
  HttpReply reply;
  reply.content_type = query.content_type;
  reply.headers.emplace_back("X-Output-Size", std::to_string(range.size));
  // Of the body's first byte, or where one that is wanted from beyond the end would be now.
  reply.headers.emplace_back("X-Output-Offset", std::to_string(std::min(query.offset, range.size)));
  const bool is_text = !query.is_ours && !wire::is_utf8(range.bytes);
  reply.body = is_text ? wire::to_utf8(range.bytes) : std::move(range.bytes);
  return reply;
}

// A stretch of output that lies on the task's node only, had from there part by part.
class RemoteRange : public std::enable_shared_from_this<RemoteRange> {
 public:
  RemoteRange(OutputRequests& requests, std::shared_ptr<HttpResponder> responder, TaskView task, OutputStream which,
              OutputQuery query, std::string why_not_here)
      : requests_(requests),
        responder_(std::move(responder)),
        task_(std::move(task)),
        which_(which),
        query_(std::move(query)),
        why_not_here_(std::move(why_not_here)) {}

  void ask() {
    wire::OutputWant want = want_of(task_, which_);
    want.offset = query_.offset + got_.bytes.size();
    want.tail = got_.bytes.empty() ? query_.tail : 0;
    want.limit = std::min(wire::kMaxOutputPart, query_.limit - got_.bytes.size());
    requests_.ask(task_.node, want, [self = shared_from_this()](Result<wire::OutputPart> part) {
      part ? self->take(std::move(*part)) : self->fail(part.error());
    });
  }

 private:
  void take(wire::OutputPart part) {
    if (got_.bytes.empty()) query_.offset = part.offset;
    got_.size = part.size;
    got_.bytes += part.bytes;
    const std::uint64_t end = query_.offset + got_.bytes.size();
    const bool is_all = part.bytes.empty() || end >= part.size || got_.bytes.size() >= query_.limit;
    if (!is_all && responder_->is_waiting()) return ask();
    responder_->reply(reply_of(std::move(got_), query_));
  }

  void fail(const Error& error) {
    if (error.code == Errc::not_found && written_bytes(task_, which_) == 0) {
      responder_->reply(reply_of({}, query_));
      return;
    }
    responder_->reply(
        error_reply({Errc::unavailable, "the output of task " + to_string(task_.id) + " cannot be read here (" +
                                            why_not_here_ + ") and " + error.message}));
  }

  OutputRequests& requests_;
  const std::shared_ptr<HttpResponder> responder_;
  const TaskView task_;
  const OutputStream which_;
  OutputQuery query_;
  const std::string why_not_here_;
  OutputRange got_;
};

void send_output(const PeopleServices& services, std::shared_ptr<HttpResponder> responder, TaskView task,
                 OutputStream which, OutputQuery query) {
  if (query.follow) {
    HttpReply head;
    head.content_type = query.content_type;
    std::make_shared<OutputFollow>(services, std::move(task), which, query.offset, query.tail)
        ->start(*responder, std::move(head));
    return;
  }
  auto range = read_own_view(task, which, query);
  if (range) {
    responder->reply(reply_of(std::move(*range), query));
  } else if (task.node.empty() || (is_final(task.status) && written_bytes(task, which) == 0)) {
    responder->reply(reply_of({}, query));
  } else {
    std::make_shared<RemoteRange>(services.requests, std::move(responder), std::move(task), which, std::move(query),
                                  range.error().message)
        ->ask();
  }
}

RouteFunction output_route(const PeopleServices& services, OutputStream which) {
  return [services, which](RouteCall call) {
    const auto id = parse_id(call.captures[0]);
    const auto query = query_of(call);
    if (!id || !query) {
      call.responder->reply(!id ? error_reply(id.error(), "path", "task_id") : error_reply(query.error(), "query"));
      return;
    }
    services.queries.view_task(TaskId{*id}, [services, which, query = *query,
                                             responder = std::move(call.responder)](Result<TaskView> task) mutable {
      if (!task) {
        responder->reply(error_reply(task.error()));
      } else {
        send_output(services, std::move(responder), std::move(*task), which, query);
      }
    });
  };
}

}  // namespace

std::vector<Route> output_routes(const PeopleServices& services) {
  std::vector<Route> routes;
  for (const std::string_view pattern : {"/task/*/stdout", "/api/task/*/stdout", "/api/v1/tasks/*/stdout"}) {
    routes.push_back({"GET", pattern, output_route(services, OutputStream::out)});
  }
  for (const std::string_view pattern : {"/task/*/stderr", "/api/task/*/stderr", "/api/v1/tasks/*/stderr"}) {
    routes.push_back({"GET", pattern, output_route(services, OutputStream::err)});
  }
  return routes;
}

}  // namespace hakuriver::service
