#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "container/engine.hpp"
#include "container/messages.hpp"
#include "http/client.hpp"

namespace hakuriver::container {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxAnswer = std::size_t{4} << 20;
constexpr milliseconds kCallTime{120'000};
// A container may run for years, and the engine says nothing meanwhile.
constexpr milliseconds kWaitTime{std::chrono::hours(24)};
constexpr milliseconds kLongest{std::chrono::hours(24 * 365)};

// Names and references keep their slashes: that is how the engine's routes are.
std::string encode_path(const std::string& reference) {
  std::string path;
  for (std::size_t at = 0; at <= reference.size();) {
    const auto end = std::min(reference.find('/', at), reference.size());
    path += "/" + http::encode_percent(reference.substr(at, end - at));
    at = end + 1;
  }
  return path;
}

Errc code_of(int status) {
  switch (status) {
    case 400:
      return Errc::invalid_argument;
    case 404:
      return Errc::not_found;
    case 409:
      return Errc::conflict;
    default:
      return Errc::unavailable;
  }
}

class ApiEngine final : public Engine {
 public:
  ApiEngine(std::unique_ptr<http::HttpClient> client, std::string version)
      : client_(std::move(client)), version_(std::move(version)) {}

  Result<Image> image(const std::string& reference) override {
    const auto answer = get("/images" + encode_path(reference) + "/json");
    if (!answer) return answer.error();
    return decode_image(*answer);
  }

  Status create(const Container& container, const Argv& command, const std::vector<std::string>& environment) override {
    return post("/containers/create?name=" + http::encode_percent(container.name),
                encode_create(container, command, environment));
  }

  Status start(const std::string& name) override { return post_to(name, "/start"); }

  Result<ContainerState> state(const std::string& name) override {
    const auto answer = get("/containers" + encode_path(name) + "/json");
    if (!answer) return answer.error();
    return decode_container(*answer);
  }

  Status wait(const std::string& name) override {
    http::HttpCall call = call_to("POST", "/containers" + encode_path(name) + "/wait?condition=not-running", {});
    call.read_timeout = kWaitTime;
    call.total_timeout = kLongest;
    return to_status(ask(call));
  }

  Status pause(const std::string& name) override { return post_to(name, "/pause"); }
  Status resume(const std::string& name) override { return post_to(name, "/unpause"); }
  Status kill(const std::string& name) override { return post_to(name, "/kill?signal=KILL"); }

  Status execute(const std::string& name, const Argv& command) override {
    const auto made = ask(call_to("POST", "/containers" + encode_path(name) + "/exec", encode_exec(command)));
    if (!made) return made.error();
    const auto id = decode_exec_id(*made);
    if (!id) return id.error();
    if (auto started = post("/exec/" + *id + "/start", R"({"Detach":true})"); !started) return started;
    for (milliseconds waited{0}; waited < kCallTime; waited += milliseconds(10)) {
      const auto answer = get("/exec/" + *id + "/json");
      if (!answer) return answer.error();
      const auto running = decode_exec_running(*answer);
      if (!running) return running.error();
      if (!*running) return Unit{};
      std::this_thread::sleep_for(milliseconds(10));  // nothing tells the end of a command that nobody is attached to
    }
    return Error{Errc::unavailable, "a command in '" + name + "' did not end"};
  }

  Status remove(const std::string& name) override {
    return to_status(ask(call_to("DELETE", "/containers" + encode_path(name) + "?force=1&v=1", {})));
  }

 private:
  http::HttpCall call_to(std::string method, const std::string& path, std::string body) const {
    http::HttpCall call;
    call.method = std::move(method);
    call.path = "/v" + version_ + path;
    call.body = std::move(body);
    call.read_timeout = kCallTime;
    return call;
  }

  Result<std::string> ask(const http::HttpCall& call) {
    auto reply = client_->send(call);
    if (!reply) return reply.error();
    if (reply->status / 100 == 2 || reply->status == 304) return std::move(reply->body);
    return Error{code_of(reply->status), decode_error(reply->body)};
  }

  static Status to_status(const Result<std::string>& answer) {
    if (!answer) return answer.error();
    return Unit{};
  }

  Result<std::string> get(const std::string& path) {
    auto call = call_to("GET", path, {});
    call.is_repeatable = true;
    return ask(call);
  }
  Status post(const std::string& path, std::string body) {
    return to_status(ask(call_to("POST", path, std::move(body))));
  }
  Status post_to(const std::string& name, const std::string& verb) {
    return post("/containers" + encode_path(name) + verb, {});
  }

  const std::unique_ptr<http::HttpClient> client_;
  const std::string version_;
};

}  // namespace

Result<std::unique_ptr<Engine>> open_api_engine(const std::string& socket) {
  http::HttpClientOptions options;
  options.unix_socket = socket;
  options.max_body = kMaxAnswer;
  auto client = http::HttpClient::open({"engine", 80, ""}, std::move(options));
  if (!client) return client.error();
  http::HttpCall question;
  question.path = "/version";
  question.total_timeout = milliseconds(10'000);
  const auto reply = (*client)->send(question);
  if (!reply) return reply.error();
  if (reply->status != 200) {
    return Error{Errc::unavailable, "'" + socket + "': " + decode_error(reply->body)};
  }
  auto version = negotiate_version(reply->body);
  if (!version) return Error{version.error().code, "'" + socket + "': " + version.error().message};
  return std::unique_ptr<Engine>(std::make_unique<ApiEngine>(std::move(*client), std::move(*version)));
}

}  // namespace hakuriver::container
