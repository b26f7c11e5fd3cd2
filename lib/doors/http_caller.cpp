#include "doors/http_caller.hpp"

#include <chrono>
#include <memory>
#include <utility>

#include "http/client.hpp"
#include "http/url.hpp"

namespace hakuriver::doors {
namespace {

// Slashes part segments; everything else is escaped where it must be.
std::string target_of(const HttpRequest& request) {
  std::string target;
  std::string_view path = request.path;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    target += "/" + http::encode_percent(segment);
    path.remove_prefix(segment.size());
  }
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    target += separator + http::encode_percent(name) + "=" + http::encode_percent(value);
    separator = '&';
  }
  return target;
}

class ClientCaller final : public HttpCaller {
 public:
  explicit ClientCaller(std::unique_ptr<http::HttpClient> client) : client_(std::move(client)) {}

  Result<HttpReply> call(const HttpRequest& request, std::chrono::milliseconds deadline) override {
    http::HttpCall call;
    call.method = request.method;
    call.path = target_of(request);
    call.body = request.body;
    call.headers.assign(request.headers.begin(), request.headers.end());
    call.read_timeout = deadline;
    call.total_timeout = deadline;
    call.is_repeatable = true;
    return client_->send(call);
  }
  void cancel() override { client_->cancel(); }

 private:
  const std::unique_ptr<http::HttpClient> client_;
};

}  // namespace

Result<CallerFactory> make_http_callers(std::string_view url, std::string token) {
  auto parsed = http::parse_url(url);
  if (!parsed) return parsed.error();
  http::HttpClientOptions options;
  options.token = std::move(token);
  // What opens once always does: nothing but the options is looked at.
  if (const auto tried = http::HttpClient::open(*parsed, options); !tried) return tried.error();
  return CallerFactory([parsed = std::move(*parsed), options = std::move(options)]() -> std::unique_ptr<HttpCaller> {
    return std::make_unique<ClientCaller>(std::move(*http::HttpClient::open(parsed, options)));
  });
}

}  // namespace hakuriver::doors
