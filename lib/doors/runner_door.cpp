#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "doors/engine_watch.hpp"
#include "doors/http_caller.hpp"
#include "doors/runner_containers.hpp"
#include "doors/runner_home.hpp"
#include "doors/runner_launcher.hpp"
#include "doors/runner_setup.hpp"
#include "doors/task_users.hpp"
#include "hakuriver/runner.hpp"
#include "http/guard.hpp"
#include "http/server.hpp"
#include "platform/clock.hpp"
#include "platform/health.hpp"
#include "platform/random.hpp"
#include "service/runner_routes.hpp"
#include "service/runner_service.hpp"

namespace hakuriver {
inline namespace v1 {

namespace {

constexpr std::chrono::seconds kLookForEngine{10};
constexpr int kLooksOfOneThorough = 6;

using ReadHealth = std::function<std::optional<NodeHealth>()>;

ReadHealth make_health_reader() {
  return [reader = std::make_shared<platform::HealthReader>()]() -> std::optional<NodeHealth> {
    const auto health = reader->read();
    return health ? std::optional(*health) : std::nullopt;
  };
}

// Spreads retries; the kernel's generator would cost a system call for every event.
Result<std::function<std::uint64_t()>> make_random() {
  const auto seed = platform::random_number();
  if (!seed) return seed.error();
  return std::function<std::uint64_t()>([engine = std::mt19937_64(*seed)]() mutable { return engine(); });
}

Result<CallerFactory> make_callers(const RunnerOptions& options) {
  if (options.connect) return options.connect;
  return doors::make_http_callers(options.host_url, options.token);
}

Result<service::RunnerPorts> make_ports(const RunnerOptions& options, const doors::RunnerHome& home,
                                        const ReadHealth& health, LogSink& log) {
  service::RunnerPorts ports;
  auto keeper = doors::open_keeper(options, home);
  if (!keeper) return keeper.error();
  auto callers = make_callers(options);
  if (!callers) return callers.error();
  auto random = make_random();
  if (!random) return random.error();
  ports.keeper = std::move(*keeper);
  ports.connect = std::move(*callers);
  ports.now = platform::now;
  ports.random = std::move(*random);
  ports.health = health;
  ports.log = &log;
  return ports;
}

Result<std::unique_ptr<http::HttpServer>> open_server(const RunnerOptions& options, HttpHandler routes) {
  http::HttpServerOptions server;
  server.listen = {{options.listen_address, *options.listen_port}};
  server.workers = 1;
  http::Access access;
  access.token = options.token;
  access.listen_addresses = {options.listen_address};
  return http::HttpServer::open(std::move(server), [access = std::move(access), routes = std::move(routes)](
                                                       HttpRequest request, std::shared_ptr<HttpResponder> responder) {
    if (auto refusal = http::refuse(access, request)) {
      responder->reply(std::move(*refusal));
    } else {
      routes(std::move(request), std::move(responder));
    }
  });
}

Result<doors::Containers> find_containers(const RunnerOptions& options, const doors::RunnerHome& home,
                                          doors::EngineSearch search) {
  auto containers = doors::open_containers(options, home, search);
  if (!containers) return containers;
  if (const auto prepared = doors::prepare_shared_data(*containers); !prepared) return prepared.error();
  return containers;
}

std::optional<doors::Containers> look_for_containers(const RunnerOptions& options, const doors::RunnerHome& home,
                                                     LogSink& log) {
  if (options.launcher == "none") return std::nullopt;
  auto containers = find_containers(options, home, doors::EngineSearch::sockets_and_clients);
  if (!containers) {
    const bool is_usual = containers.error().code == Errc::not_found;
    log.write(is_usual ? LogLevel::info : LogLevel::warning, "no containers: " + containers.error().message);
    return std::nullopt;
  }
  log.info("containers by '" + (containers->socket.empty() ? containers->client : containers->socket) + "'");
  return std::move(*containers);
}

void say_what_is_open(const RunnerOptions& options, const doors::TaskUsers& users, LogSink& log) {
  if (options.launcher == "none") return;
  if (doors::has_root_tasks(users)) {
    const bool only_asked = !users.standard.empty();
    log.warning("this runner is root, and so are its tasks" + std::string(only_asked ? " that ask for it" : "") +
                ": whoever may submit to its host is root here");
  }
  if (::geteuid() != 0 && !options.allowed_users.empty()) {
    log.warning("allowed_users has no effect: only a runner that is root can run tasks as others");
  }
}

}  // namespace

struct Runner::Impl {
  RunnerOptions options;
  std::shared_ptr<LogSink> log;
  doors::RunnerHome home;  // locked
  std::unique_ptr<service::RunnerService> service;
  std::unique_ptr<http::HttpServer> server;  // none: no socket. Stops before the service goes

  doors::TaskUsers users;
  NodeFacts facts;                            // as found at the start
  std::unique_ptr<doors::EngineWatch> watch;  // none: no containers ever. Stops before the service goes

  void watch_engine(std::optional<doors::Containers> first);
  Status open_service(const doors::Launcher& launcher, const ReadHealth& health);
};

void Runner::Impl::watch_engine(std::optional<doors::Containers> first) {
  if (options.launcher == "none") return;
  doors::EnginePorts ports;
  ports.find = [this, looks = 0]() mutable {
    const bool is_thorough = ++looks % kLooksOfOneThorough == 0;
    return find_containers(options, home,
                           is_thorough ? doors::EngineSearch::sockets_and_clients : doors::EngineSearch::sockets);
  };
  ports.answers = doors::ask_engine;
  ports.changed = [this](bool is_there) {
    NodeFacts changed = facts;
    changed.containers = is_there;
    service->change_facts(std::move(changed));
  };
  ports.log = log.get();
  watch = std::make_unique<doors::EngineWatch>(std::move(first), std::move(ports), kLookForEngine);
}

Status Runner::Impl::open_service(const doors::Launcher& launcher, const ReadHealth& health) {
  auto ports = make_ports(options, home, health, *log);
  if (!ports) return ports.error();
  if (watch) ports->start_failed = [this] { watch->look_now(); };
  service::RunnerServiceOptions wanted;
  wanted.runner_id = home.runner_id;
  wanted.facts = facts;
  wanted.policy.grace = options.kill_grace;
  wanted.world = doors::make_world(options, facts, *log);
  wanted.world.cgroup = launcher.cgroup;
  wanted.world.wrap = launcher.wrap;
  wanted.world.user = users.standard;
  wanted.world.find_identity = users.find;
  if (watch) {
    wanted.world.contain = [this](const StartRequest& request, const TaskSpec& spec) {
      if (const auto containers = watch->containers()) return doors::wrap_in_container(*containers, request, spec);
      StartRequest refused = request;
      if (refused.refusal.empty()) refused.refusal = "container '" + spec.container + "': this node runs no containers";
      return refused;
    };
  }
  auto opened = service::RunnerService::open(std::move(wanted), std::move(*ports));
  if (!opened) return opened.error();
  service = std::move(*opened);
  return Unit{};
}

Result<std::unique_ptr<Runner>> Runner::open(RunnerOptions given, std::shared_ptr<LogSink> log) {
  auto options = doors::complete_options(std::move(given));
  if (!options) return options.error();
  auto facts = doors::detect_facts(*options);
  if (!facts) return facts.error();
  if (const auto ready = doors::prepare_directories(*options); !ready) return ready.error();
  auto home = doors::open_runner_home(options->state_dir, options->name);
  if (!home) return home.error();
  auto launcher = doors::choose_launcher(*options, *home, *log);
  if (!launcher) return launcher.error();
  doors::describe_launcher(*launcher, *facts);
  auto users = doors::open_task_users(*options, doors::is_local_host(*options));
  facts->users = users.offered;
  if (const auto left = doors::write_marker(options->shared_dir, home->runner_id, options->name); !left) {
    log->warning("shared_dir: " + left.error().message + "; the host cannot tell whether it is shared");
  }
  auto containers = look_for_containers(*options, *home, *log);
  facts->containers = containers.has_value();
  auto impl = std::make_unique<Impl>(Impl{std::move(*options), std::move(log), std::move(*home), nullptr, nullptr,
                                          std::move(users), std::move(*facts), nullptr});
  impl->watch_engine(std::move(containers));
  const ReadHealth health = make_health_reader();
  if (const auto opened = impl->open_service(*launcher, health); !opened) return opened.error();
  if (impl->options.listen_port) {
    auto server = open_server(impl->options, service::make_runner_routes(*impl->service, health));
    if (!server) return server.error();
    impl->server = std::move(*server);
  }
  say_what_is_open(impl->options, impl->users, *impl->log);
  return std::unique_ptr<Runner>(new Runner(std::move(impl)));
}

Runner::Runner(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Runner::~Runner() {
  if (impl_->server) impl_->server->stop();
}

Status Runner::serve() {
  if (impl_->server) {
    if (auto started = impl_->server->start(); !started) return started;
  }
  if (impl_->watch) impl_->watch->start();
  Status served = impl_->service->serve();
  if (impl_->watch) impl_->watch->stop();
  if (impl_->server) impl_->server->stop();
  return served;
}

void Runner::stop(RunnerStop how) noexcept { impl_->service->stop(how); }

const std::string& Runner::name() const noexcept { return impl_->options.name; }

std::uint16_t Runner::port() const noexcept {
  return impl_->server ? impl_->server->ports().front() : std::uint16_t{0};
}

}  // namespace v1
}  // namespace hakuriver
