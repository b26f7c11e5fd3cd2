#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "service/people_routes.hpp"
#include "wire/people.hpp"

namespace hakuriver::service {

namespace {

constexpr std::uint64_t kMostWaitSeconds = 300;

HttpReply json_reply(std::string body, int status = 200) { return {.status = status, .body = std::move(body)}; }

// The id in the first capture, or an answer that says what is wrong with it.
std::optional<std::uint64_t> id_of(const RouteCall& call) {
  const auto id = parse_id(call.captures[0]);
  if (id) return *id;
  call.responder->reply(error_reply(id.error(), "path", "task_id"));
  return std::nullopt;
}

// A parameter of the query that cannot be right.
struct BadQuery {
  std::string name;
  Error error;
};

HttpReply reply_to(const BadQuery& bad) { return error_reply(bad.error, "query", bad.name); }

// On our own routes what is misspelt is an error; those of the seed era ignore it, as they did.
std::optional<BadQuery> find_unknown(const RouteCall& call, std::initializer_list<std::string_view> known) {
  if (call.request.path.rfind("/api/v1/", 0) != 0) return std::nullopt;
  for (const auto& [name, value] : call.request.query) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string shown = name.substr(0, 64);
    return BadQuery{shown, {Errc::parse, "'" + shown + "' is not a parameter that is known here"}};
  }
  return std::nullopt;
}

template <class View, class Ask>
void wait_then_view(const PeopleServices& services, RouteCall call, std::uint64_t id, Ask ask) {
  auto bad = find_unknown(call, {"wait"});
  const auto seconds = number_query(call, "wait", 0, 0, kMostWaitSeconds);
  if (!seconds) bad = BadQuery{"wait", seconds.error()};
  if (bad) {
    call.responder->reply(reply_to(*bad));
    return;
  }
  const auto answer = [responder = std::move(call.responder), ask = std::move(ask)] {
    ask([responder](Result<View> view) {
      responder->reply(view ? json_reply(wire::encode(*view)) : error_reply(view.error()));
    });
  };
  if (*seconds == 0) {
    answer();
  } else {
    services.host.watch(id, std::chrono::seconds(*seconds), [answer](bool) { answer(); });
  }
}

void show_task(const PeopleServices& services, RouteCall call) {
  const auto id = id_of(call);
  if (!id) return;
  wait_then_view<TaskView>(services, std::move(call), *id, [&queries = services.queries, id = *id](auto answer) {
    queries.view_task(TaskId{id}, std::move(answer));
  });
}

void show_batch(const PeopleServices& services, RouteCall call) {
  const auto id = id_of(call);
  if (!id) return;
  wait_then_view<BatchView>(services, std::move(call), *id, [&queries = services.queries, id = *id](auto answer) {
    queries.view_batch(BatchId{id}, std::move(answer));
  });
}

void show_seed_status(const PeopleServices& services, RouteCall call) {
  const auto id = id_of(call);
  if (!id) return;
  services.queries.view_task(TaskId{*id}, [responder = std::move(call.responder)](Result<TaskView> view) {
    responder->reply(view ? json_reply(wire::encode_seed(*view)) : error_reply(view.error()));
  });
}

std::optional<BadQuery> read_filter(const RouteCall& call, std::uint64_t limit, std::uint64_t most,
                                    TaskFilter& filter) {
  if (auto unknown = find_unknown(call, {"state", "node", "name", "batch", "before", "limit"})) return unknown;
  if (const auto state = call.query("state")) {
    filter.status = parse_task_status(*state);
    if (!filter.status) return BadQuery{"state", {Errc::parse, "'" + state->substr(0, 64) + "' is not a task's state"}};
  }
  filter.node = call.query("node").value_or("");
  filter.name = call.query("name").value_or("");
  if (const auto text = call.query("batch")) {
    const auto id = parse_id(*text);
    if (!id) return BadQuery{"batch", id.error()};
    filter.batch = BatchId{*id};
  }
  if (const auto text = call.query("before")) {
    const auto id = parse_id(*text);
    if (!id) return BadQuery{"before", id.error()};
    filter.before = TaskId{*id};
  }
  const auto wanted = number_query(call, "limit", limit, 1, most);
  if (!wanted) return BadQuery{"limit", wanted.error()};
  filter.limit = static_cast<std::uint32_t>(*wanted);
  return std::nullopt;
}

void list_tasks(const PeopleServices& services, RouteCall call) {
  TaskFilter filter;
  if (const auto bad = read_filter(call, 100, 1000, filter)) {
    call.responder->reply(reply_to(*bad));
    return;
  }
  services.queries.list_tasks(std::move(filter), [responder = std::move(call.responder)](Result<TaskPage> page) {
    responder->reply(page ? json_reply(wire::encode(*page)) : error_reply(page.error()));
  });
}

// The seed era knew no paging: the newest ten thousand are what a page of that era can show.
void list_seed_tasks(const PeopleServices& services, RouteCall call) {
  TaskFilter filter;
  if (const auto bad = read_filter(call, 10'000, 10'000, filter)) {
    call.responder->reply(reply_to(*bad));
    return;
  }
  services.queries.list_tasks(std::move(filter), [responder = std::move(call.responder)](Result<TaskPage> page) {
    responder->reply(page ? json_reply(wire::encode_seed(page->tasks)) : error_reply(page.error()));
  });
}

void command(const PeopleServices& services, RouteCall call, host_event::Command what, int conflict_status) {
  const auto id = id_of(call);
  if (!id) return;
  const int good = what == host_event::Command::kill || conflict_status == 409 ? 202 : 200;
  services.host.post(host_event::Control{{}, what, *id},
                     [responder = std::move(call.responder), conflict_status, good](const Result<HostAction>& action) {
                       if (!action) {
                         responder->reply(error_reply(action.error()));
                         return;
                       }
                       const auto& answer = std::get<host_action::AnswerCommand>(*action).answer;
                       HttpReply reply = answer ? json_reply(wire::encode(*answer), good) : error_reply(answer.error());
                       if (reply.status == 409) reply.status = conflict_status;
                       responder->reply(std::move(reply));
                     });
}

RouteFunction command_route(const PeopleServices& services, host_event::Command what, int conflict_status) {
  return
      [services, what, conflict_status](RouteCall call) { command(services, std::move(call), what, conflict_status); };
}

RouteFunction route(const PeopleServices& services, void (*function)(const PeopleServices&, RouteCall)) {
  return [services, function](RouteCall call) { function(services, std::move(call)); };
}

}  // namespace

Result<std::uint64_t> number_query(const RouteCall& call, std::string_view name, std::uint64_t otherwise,
                                   std::uint64_t least, std::uint64_t most) {
  const auto text = call.query(name);
  if (!text) return otherwise;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size() || text->empty() || value < least || value > most) {
    return Error{Errc::parse, "'" + std::string(name) + "' must be a whole number from " + std::to_string(least) +
                                  " to " + std::to_string(most) + ", not '" + text->substr(0, 64) + "'"};
  }
  return value;
}

std::vector<Route> task_routes(const PeopleServices& services) {
  using enum host_event::Command;
  return {
      {"GET", "/api/v1/tasks", route(services, list_tasks)},
      {"GET", "/api/v1/tasks/*", route(services, show_task)},
      {"GET", "/api/v1/batches/*", route(services, show_batch)},
      {"POST", "/api/v1/tasks/*/kill", command_route(services, kill, 409)},
      {"POST", "/api/v1/tasks/*/kill-pending", command_route(services, kill_pending, 409)},
      {"POST", "/api/v1/tasks/*/pause", command_route(services, pause, 409)},
      {"POST", "/api/v1/tasks/*/resume", command_route(services, resume, 409)},
      {"GET", "/tasks", route(services, list_seed_tasks)},
      {"GET", "/api/tasks", route(services, list_seed_tasks)},
      {"GET", "/status/*", route(services, show_seed_status)},
      {"GET", "/api/status/*", route(services, show_seed_status)},
      {"POST", "/kill/*", command_route(services, kill, 409)},
      {"POST", "/api/kill/*", command_route(services, kill, 409)},
      // The seed era answers 400 where a task's state forbids the command.
      {"POST", "/command/*/pause", command_route(services, pause, 400)},
      {"POST", "/api/command/*/pause", command_route(services, pause, 400)},
      {"POST", "/command/*/resume", command_route(services, resume, 400)},
      {"POST", "/api/command/*/resume", command_route(services, resume, 400)},
  };
}

}  // namespace hakuriver::service
