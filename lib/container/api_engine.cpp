#include <errno.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "container/engine.hpp"
#include "container/messages.hpp"
#include "http/client.hpp"
#include "platform/files.hpp"

namespace hakuriver::container {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxAnswer = std::size_t{4} << 20;
constexpr milliseconds kCallTime{120'000};
constexpr milliseconds kPingTime{10'000};
// A container may run for years, and the engine says nothing meanwhile.
constexpr milliseconds kWaitTime{std::chrono::hours(24)};
// An engine unpacks what it has got without a word.
constexpr milliseconds kLoadTime{std::chrono::hours(2)};
// Nobody needs that to be over: the engine goes on.
constexpr milliseconds kRemoveTime{30'000};
constexpr milliseconds kPullTime{std::chrono::minutes(15)};
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
      return Errc::io;
  }
}

// Never empty: a proxy, or a path that is none of the engine's, has no words.
std::string reason_of(int status, const std::string& body) {
  auto reason = decode_error(body);
  return reason.empty() ? "the engine answers with status " + std::to_string(status) : reason;
}

class ApiEngine final : public Engine {
 public:
  ApiEngine(std::unique_ptr<http::HttpClient> client, std::string version)
      : client_(std::move(client)), version_(std::move(version)) {}

  Status ping() override {
    http::HttpCall call;
    call.path = "/_ping";
    call.total_timeout = kPingTime;
    return to_status(ask(call));
  }

  Result<Image> image(const std::string& reference) override {
    const auto answer = get("/images" + encode_path(reference) + "/json");
    if (!answer) return answer.error();
    return decode_image(*answer);
  }

  Result<std::vector<std::string>> load(const std::string& path) override {
    const auto file = platform::open_regular_file(path);
    struct stat facts {};
    if (!file) return Error{Errc::io, file.error().message};
    if (::fstat(file->get(), &facts) != 0) {
      return Error{Errc::io, "'" + path + "': " + std::generic_category().message(errno)};
    }
    auto call = call_to("POST", "/images/load?quiet=1", {});
    call.content_type = "application/x-tar";
    call.body_file = file->get();
    call.body_file_size = static_cast<std::uint64_t>(facts.st_size);
    call.read_timeout = kLoadTime;
    return follow(std::move(call));
  }

  Status pull(const std::string& reference) override {
    const bool has_tag = reference.find_first_of(":@", reference.rfind('/') + 1) != std::string::npos;
    auto call = call_to("POST", "/images/create?fromImage=" + http::encode_percent(reference), {});
    if (!has_tag) call.path += "&tag=latest";  // without it all there are would be pulled
    call.read_timeout = kPullTime;
    const auto done = follow(std::move(call));
    if (!done) return Error{code_of_pull(done.error().message, done.error().code), done.error().message};
    return Unit{};
  }

  Status tag(const std::string& image, const std::string& reference) override {
    const auto colon = reference.rfind(':');
    return post("/images" + encode_path(image) + "/tag?repo=" + http::encode_percent(reference.substr(0, colon)) +
                    "&tag=" + http::encode_percent(reference.substr(colon + 1)),
                {});
  }

  Result<std::vector<std::string>> references(const std::string& repository) override {
    const auto answer = get("/images/json?filters=" + http::encode_percent(R"({"reference":[")" + repository + "\"]}"));
    if (!answer) return answer.error();
    return decode_references(*answer);
  }

  Status remove_image(const std::string& reference) override {
    auto call = call_to("DELETE", "/images" + encode_path(reference), {});
    call.read_timeout = kRemoveTime;
    return to_status(ask(call));
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
    return Error{code_of(reply->status), reason_of(reply->status, reply->body)};
  }

  // For what the engine tells as it goes: a failure comes as one of its lines, behind a good status.
  Result<std::vector<std::string>> follow(http::HttpCall call) {
    call.total_timeout = kLongest;
    Progress progress;
    const auto reply = client_->receive(call, [&progress](std::string_view bytes) {
      progress.take(bytes);
      return true;
    });
    if (!reply) return reply.error();
    if (reply->status / 100 != 2) return Error{code_of(reply->status), reason_of(reply->status, reply->body)};
    progress.take("\n");
    if (!progress.error().empty()) return Error{Errc::io, decode_error(progress.error())};
    return progress.loaded();
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
  question.total_timeout = kPingTime;
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
