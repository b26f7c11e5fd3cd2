#include "cli/client_commands.hpp"

#include <string>

#include "cli/exit_status.hpp"
#include "http/url.hpp"
#include "wire/people.hpp"

namespace hakuriver::cli {
namespace {

// All of them may be asked twice without harm.
Result<HttpReply> post(ClientSession& session, const std::string& path) {
  return session.host().send({.method = "POST", .path = path, .is_repeatable = true});
}

std::string tasks(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " task" : " tasks"); }

// "7: kill requested", of a batch "7: kill requested for 3 tasks, 2 tasks ended before they started".
std::string words_of(std::string_view verb, std::uint64_t id, const CommandAnswer& answer) {
  std::string words = std::to_string(id) + ": ";
  if (answer.asked > 0) words += std::string(verb) + " requested";
  if (answer.asked > 1 || (answer.asked == 1 && answer.done > 0)) words += " for " + tasks(answer.asked);
  if (answer.done == 0) return words;
  if (answer.asked > 0) words += ", ";
  if (answer.asked > 0 || answer.done > 1) words += tasks(answer.done) + " ";
  return words + (answer.done > 1 ? "ended before they started" : "ended before it started");
}

std::string words_of_node(std::string_view verb, const std::string& node) {
  const std::string name = "node '" + node + "' ";
  if (verb == "drain") return name + "is drained: what runs there goes on, and nothing more is started";
  if (verb == "undrain") return name + "takes tasks again";
  return name + "is forgotten: the tasks that it held have failed";
}

// Gives the order and tells it in the words that `words` makes of the answer.
template <class Words>
int give_order(ClientSession& session, const std::string& path, const Words& words) {
  const auto reply = post(session, path);
  if (!reply) return session.fail(reply.error());
  if (reply->status / 100 != 2) return session.fail(*reply);
  const auto answer = wire::decode_command_answer(reply->body);
  if (!answer)
    return session.fail(Error{Errc::internal, "the host's answer cannot be read: " + answer.error().message});
  if (session.options().prints_json) return session.print(wire::pretty(reply->body) + "\n") ? kExitGood : kExitFailed;
  session.say(words(*answer));
  return kExitGood;
}

int command_task(ClientSession& session, std::string_view verb, std::uint64_t id) {
  return give_order(session, "/api/v1/tasks/" + std::to_string(id) + "/" + std::string(verb),
                    [&](const CommandAnswer& answer) {
                      return words_of(verb == "kill-pending" ? "end before their start" : verb, id, answer);
                    });
}

}  // namespace

int command_tasks(ClientSession& session, std::string_view verb) {
  int worst = kExitGood;
  for (const auto id : session.options().ids) {
    const int exit = command_task(session, verb, id);
    if (exit != kExitGood) worst = exit;
    if (exit == kExitUnreachable) break;
  }
  return worst;
}

int command_node(ClientSession& session, std::string_view verb) {
  const std::string& node = session.options().node;
  return give_order(session, "/api/v1/nodes/" + http::encode_percent(node) + "/" + std::string(verb),
                    [&](const CommandAnswer&) { return words_of_node(verb, node); });
}

}  // namespace hakuriver::cli
