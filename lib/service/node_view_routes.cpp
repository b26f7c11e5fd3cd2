#include <utility>
#include <variant>

#include "hakuriver/host/views.hpp"
#include "hakuriver/version.hpp"
#include "service/health_history.hpp"
#include "service/people_routes.hpp"
#include "wire/json_text.hpp"
#include "wire/people.hpp"

namespace hakuriver::service {

namespace {

RouteFunction nodes_route(const PeopleServices& services, std::string (*encode)(const std::vector<NodeView>&)) {
  return [services, encode](RouteCall call) {
    services.host.ask([responder = std::move(call.responder), encode](const HostState& state, Now now) {
      responder->reply({.body = encode(view_nodes(state, now))});
    });
  };
}

void keep_node(HealthSample& sample, const std::string& name) {
  std::erase_if(sample.nodes, [&name](const NodeView& node) { return node.name != name; });
}

// The present moment, of one node or all.
void show_health(const PeopleServices& services, RouteCall call) {
  const auto name = call.query("node");
  services.host.ask([responder = std::move(call.responder), name](const HostState& state, Now now) {
    HealthSample sample;
    sample.nodes = view_nodes(state, now);
    sample.cluster = aggregate(sample.nodes, now.utc);
    if (name) keep_node(sample, *name);
    if (name && sample.nodes.empty()) {
      responder->reply(error_reply({Errc::not_found, "there is no node '" + name->substr(0, 64) + "'"}));
    } else {
      responder->reply({.body = wire::encode(sample)});
    }
  });
}

// The last minute, as the seed era has it.
void show_seed_health(const PeopleServices& services, RouteCall call) {
  const auto name = call.query("hostname");
  auto samples = services.health.samples();
  bool found = !name;
  for (auto& sample : samples) {
    if (!name) break;
    keep_node(sample, *name);
    found = found || !sample.nodes.empty();
  }
  if (found) {
    call.responder->reply({.body = wire::encode_seed(samples)});
  } else {
    call.responder->reply(error_reply({Errc::not_found, "there is no node '" + name->substr(0, 64) + "'"}));
  }
}

RouteFunction node_command(const PeopleServices& services, host_event::NodeCommand what) {
  return [services, what](RouteCall call) {
    services.host.post(host_event::ControlNode{{}, what, call.captures[0]}, [responder = std::move(call.responder)](
                                                                                const Result<HostAction>& action) {
      const Error* error = action ? nullptr : &action.error();
      const auto* answer = action ? &std::get<host_action::AnswerCommand>(*action).answer : nullptr;
      if (answer != nullptr && !*answer) error = &answer->error();
      responder->reply(error != nullptr ? error_reply(*error) : HttpReply{.body = wire::encode(**answer)});
    });
  };
}

void show_version(const PeopleServices& services, RouteCall call) {
  services.host.ask([responder = std::move(call.responder)](const HostState& state, Now) {
    HttpReply reply;
    wire::ObjectWriter writer(reply.body);
    writer.text("version", HAKURIVER_VERSION);
    writer.text("cluster_id", state.cluster_id);
    writer.number("epoch", state.epoch.value);
    writer.close();
    responder->reply(std::move(reply));
  });
}

}  // namespace

std::vector<Route> node_view_routes(const PeopleServices& services) {
  using enum host_event::NodeCommand;
  const RouteFunction seed_nodes = nodes_route(services, wire::encode_seed);
  const RouteFunction seed_health = [services](RouteCall call) { show_seed_health(services, std::move(call)); };
  return {
      {"GET", "/nodes", seed_nodes},
      {"GET", "/api/nodes", seed_nodes},
      {"GET", "/health", seed_health},
      {"GET", "/api/health", seed_health},
      {"GET", "/api/v1/nodes", nodes_route(services, wire::encode)},
      {"GET", "/api/v1/health", [services](RouteCall call) { show_health(services, std::move(call)); }},
      {"GET", "/api/v1/version", [services](RouteCall call) { show_version(services, std::move(call)); }},
      {"POST", "/api/v1/nodes/*/drain", node_command(services, drain)},
      {"POST", "/api/v1/nodes/*/undrain", node_command(services, undrain)},
      {"POST", "/api/v1/nodes/*/forget", node_command(services, forget)},
  };
}

}  // namespace hakuriver::service
