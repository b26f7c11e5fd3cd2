#include "cli/client_show.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "cli/client_pages.hpp"
#include "cli/exit_status.hpp"
#include "http/url.hpp"
#include "wire/people.hpp"

namespace hakuriver::cli {
namespace {

int unreadable(ClientSession& session, const Error& error) {
  return session.fail(Error{Errc::internal, "the host's answer cannot be read: " + error.message});
}

int put(ClientSession& session, const std::string& text) { return session.print(text) ? kExitGood : kExitFailed; }

// The body as JSON, or what `render` makes of it once it is decoded.
template <class Decode, class Render>
int show(ClientSession& session, const std::string& body, const Decode& decode, const Render& render) {
  const auto value = decode(body);
  if (!value) return unreadable(session, value.error());
  if (session.options().prints_json) return put(session, wire::pretty(body) + "\n");
  return put(session, render(*value));
}

std::string query_of(const TaskFilter& filter) {
  std::string query = "?limit=" + std::to_string(filter.limit);
  if (!filter.state.empty()) query += "&state=" + filter.state;
  if (!filter.node.empty()) query += "&node=" + http::encode_percent(filter.node);
  if (!filter.name.empty()) query += "&name=" + http::encode_percent(filter.name);
  if (filter.batch) query += "&batch=" + std::to_string(*filter.batch);
  if (filter.before) query += "&before=" + std::to_string(*filter.before);
  return query;
}

}  // namespace

int show_status(ClientSession& session) {
  const std::string id = std::to_string(session.options().ids.front());
  const auto task = session.get("/api/v1/tasks/" + id);
  if (!task) return session.fail(task.error());
  if (task->status == 200) {
    return show(session, task->body, wire::decode_task, [&](const TaskView& view) { return page_of(view); });
  }
  if (task->status != 404) return session.fail(*task);
  const auto batch = session.get("/api/v1/batches/" + id);
  if (!batch) return session.fail(batch.error());
  if (batch->status != 200) return session.fail(*task);
  return show(session, batch->body, wire::decode_batch_view, [&](const BatchView& view) { return page_of(view); });
}

int list_tasks(ClientSession& session) {
  const auto answer = session.ask("/api/v1/tasks" + query_of(session.options().filter));
  if (answer.exit != kExitGood) return answer.exit;
  const TaskFilter& filter = session.options().filter;
  const bool is_filtered =
      filter.batch || filter.before || !(filter.state.empty() && filter.node.empty() && filter.name.empty());
  std::string last_line;  // below the table, where it is seen
  const int exit = show(session, answer.body, wire::decode_task_page, [&](const TaskPage& page) {
    if (page.tasks.empty()) last_line = is_filtered ? "no such task" : "no task has been submitted yet";
    if (page.next) last_line = "there are more: --before " + to_string(*page.next) + " shows the next";
    return table_of(page.tasks, session.look());
  });
  if (!last_line.empty()) session.say(last_line);
  return exit;
}

int list_nodes(ClientSession& session) {
  const auto answer = session.ask("/api/v1/nodes");
  if (answer.exit != kExitGood) return answer.exit;
  return show(session, answer.body, wire::decode_nodes, [&](const std::vector<NodeView>& nodes) {
    if (nodes.empty()) session.say("no node has registered yet: start hakuriver.runner on one");
    return table_of(nodes, session.look());
  });
}

int show_health(ClientSession& session) {
  const std::string& node = session.options().node;
  const auto answer = session.ask("/api/v1/health" + (node.empty() ? "" : "?node=" + http::encode_percent(node)));
  if (answer.exit != kExitGood) return answer.exit;
  return show(session, answer.body, wire::decode_health, [&](const HealthSample& sample) {
    return node.empty() ? page_of(sample.cluster) + pages_of(sample.nodes) : pages_of(sample.nodes);
  });
}

}  // namespace hakuriver::cli
