#include <algorithm>
#include <utility>

#include "doors/mount_settings.hpp"
#include "environment/packages.hpp"
#include "hakuriver/environment.hpp"
#include "hakuriver/host.hpp"
#include "http/guard.hpp"
#include "http/server.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "platform/identity.hpp"
#include "service/health_history.hpp"
#include "service/host_service.hpp"
#include "service/local_caller.hpp"
#include "service/node_routes.hpp"
#include "service/output_requests.hpp"
#include "service/people_routes.hpp"
#include "service/router.hpp"
#include "storage/memory_store.hpp"
#include "storage/sqlite_store.hpp"

namespace hakuriver {
inline namespace v1 {

namespace {

// What the host remembers in: a database, or memory.
struct Storage {
  std::unique_ptr<TaskStore> store;
  std::function<Result<std::unique_ptr<TaskReader>>()> open_reader;
};

Result<Storage> open_storage(const HostOptions& options) {
  if (options.database.empty()) {
    auto memory = std::make_shared<storage::MemoryDisk>();
    return Storage{storage::open_memory_store(memory),
                   [memory]() -> Result<std::unique_ptr<TaskReader>> { return storage::open_memory_reader(memory); }};
  }
  const auto slash = options.database.rfind('/');
  const std::string directory =
      slash == std::string::npos ? "." : options.database.substr(0, std::max<std::size_t>(slash, 1));
  const auto network = platform::is_network_filesystem(directory);
  if (!network) return Error{network.error().code, "database '" + options.database + "': " + network.error().message};
  if (*network) {
    return Error{Errc::invalid_argument, "database '" + options.database +
                                             "' is on a network file system: put it on a local disk of this machine"};
  }
  storage::SqliteOptions sqlite;
  // Epochs count starts; seconds since 1970 outrank every count that an older copy has not seen.
  if (options.accept_restore) {
    sqlite.least_epoch = Epoch{static_cast<std::uint64_t>(platform::utc_now().microseconds / 1'000'000)};
  }
  auto store = storage::open_sqlite_store(options.database, sqlite);
  if (!store) return store.error();
  return Storage{std::move(*store), [path = options.database] { return storage::open_sqlite_reader(path); }};
}

Status check_listen(const HostOptions& options) {
  if (!options.token.empty() && !http::is_token(options.token)) {
    return Error{Errc::invalid_argument, "the token is not made of hexadecimal digits"};
  }
  for (const auto& listen : options.listen) {
    if (options.token.empty() && !http::is_loopback(listen.address)) {
      return Error{Errc::invalid_argument, "listening on " + listen.address + ":" + std::to_string(listen.port) +
                                               " needs a token: anyone who reaches it could run commands"};
    }
  }
  return Unit{};
}

// What would be wrong for every submission is told before the first.
Status check_containers(const HostOptions& options) {
  if (!options.default_container.empty()) {
    const auto checked = environment::check_container_name(options.default_container);
    if (!checked) return Error{checked.error().code, "default_container_name: " + checked.error().message};
  }
  return doors::check_mount_settings(options.default_mounts, options.allow_mounts);
}

http::Access access_of(const HostOptions& options) {
  http::Access access;
  access.token = options.token;
  for (const auto& listen : options.listen) access.listen_addresses.push_back(listen.address);
  access.reachable_address = options.reachable_address;
  access.allowed_hosts = options.allowed_hosts;
  access.allowed_origins = options.allowed_origins;
  return access;
}

service::HostServiceOptions service_options(const HostOptions& options, service::HealthHistory& health) {
  service::HostServiceOptions service;
  service.policy.report_interval = options.report_interval;
  service.policy.silence = options.silence;
  service.policy.keep_finished = options.keep_finished;
  if (options.forget_after) service.policy.forget_after = *options.forget_after;
  service.accept_restore = options.accept_restore;
  service.clock = platform::now;
  service.watch_health = [&health](const HostState& state, Now now) { health.take(state, now); };
  return service;
}

service::PeopleOptions people_options(const HostOptions& options) {
  service::PeopleOptions people{options.shared_dir,         options.default_container, options.default_mounts,
                                options.default_privileged, options.allow_privileged,  options.allow_mounts};
  if (!options.package_dir.empty()) {
    people.pin_container = [packages = environment::Packages(options.package_dir)](const std::string& container) {
      return environment::pin_container(packages, container);
    };
  }
  return people;
}

void append(std::vector<service::Route>& routes, std::vector<service::Route> more) {
  std::move(more.begin(), more.end(), std::back_inserter(routes));
}

}  // namespace

struct Host::Impl {
  Impl(HostOptions the_options, std::shared_ptr<LogSink> the_log, Storage the_storage)
      : options(std::move(the_options)),
        log(std::move(the_log)),
        storage(std::move(the_storage)),
        health(platform::now),
        host(*storage.store, storage.open_reader, *log, service_options(options, health)) {}

  // Destroyed from the last to the first: whoever calls goes before what it calls.
  const HostOptions options;
  const std::shared_ptr<LogSink> log;
  Storage storage;
  service::HealthHistory health;
  service::HostService host;
  service::OutputRequests requests;
  service::OutputFollower follower;
  std::unique_ptr<service::TaskQueries> queries;
  std::shared_ptr<const service::Router> router;
  std::unique_ptr<http::HttpServer> server;  // none: no socket

  Status listen();
};

Status Host::Impl::listen() {
  if (options.listen.empty()) return Unit{};
  http::HttpServerOptions server_options;
  for (const auto& each : options.listen) server_options.listen.push_back({each.address, each.port});
  server_options.workers = options.workers;
  server_options.max_body = std::size_t{64} << 20;
  auto opened = http::HttpServer::open(
      std::move(server_options),
      [this, access = access_of(options)](HttpRequest request, std::shared_ptr<HttpResponder> responder) {
        if (auto refusal = http::refuse(access, request)) {
          responder->reply(std::move(*refusal));
        } else {
          (*router)(std::move(request), std::move(responder));
        }
      });
  if (!opened) return opened.error();
  server = std::move(*opened);
  return Unit{};
}

Result<std::unique_ptr<Host>> Host::open(HostOptions options, std::shared_ptr<LogSink> log) {
  const Status checked = check_listen(options);
  if (!checked) return checked.error();
  if (options.default_container == kNodeItself) options.default_container.clear();
  if (const Status sound = check_containers(options); !sound) return sound.error();
  auto storage = open_storage(options);
  if (!storage) return storage.error();
  auto impl = std::make_unique<Impl>(std::move(options), std::move(log), std::move(*storage));
  const Status listening = impl->listen();
  if (!listening) return listening.error();
  return std::unique_ptr<Host>(new Host(std::move(impl)));
}

Host::Host(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Host::~Host() { stop(); }

Status Host::start() {
  Status started = impl_->host.start();
  if (!started) return started;
  auto reader = impl_->storage.open_reader();
  if (!reader) return reader.error();
  impl_->queries = std::make_unique<service::TaskQueries>(impl_->host, std::move(*reader), impl_->options.shared_dir);
  const service::PeopleServices services{impl_->host,     *impl_->queries, impl_->follower,
                                         impl_->requests, impl_->health,   people_options(impl_->options)};
  std::vector<service::Route> routes = service::node_routes(impl_->host);
  append(routes, service::submission_routes(services));
  append(routes, service::task_routes(services));
  append(routes, service::batch_end_routes(services));
  append(routes, service::output_routes(services));
  append(routes, service::output_request_routes(impl_->requests));
  append(routes, service::node_view_routes(services));
  impl_->router = std::make_shared<const service::Router>(std::move(routes));
  if (impl_->server) return impl_->server->start();
  return Unit{};
}

void Host::stop() noexcept {
  if (impl_->server) impl_->server->stop();
  impl_->follower.stop();
  impl_->host.stop();
}

std::vector<std::uint16_t> Host::ports() const {
  return impl_->server ? impl_->server->ports() : std::vector<std::uint16_t>{};
}

CallerFactory Host::connect() const {
  return service::make_local_callers(
      [router = impl_->router](HttpRequest request, std::shared_ptr<HttpResponder> responder) {
        (*router)(std::move(request), std::move(responder));
      });
}

}  // namespace v1
}  // namespace hakuriver
