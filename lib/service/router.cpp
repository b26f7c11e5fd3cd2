#include "service/router.hpp"

#include <utility>

#include "wire/json_text.hpp"

namespace hakuriver::service {

namespace {

// Takes the next segment off a path that begins with '/'.
std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(1);
  const auto end = path.find('/');
  const std::string_view segment = path.substr(0, end);
  path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
  return segment;
}

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> captures;
  while (!pattern.empty() && !path.empty() && path[0] == '/') {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view given = next_segment(path);
    if (wanted == "*" && !given.empty()) {
      captures.emplace_back(given);
    } else if (wanted != given) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return captures;
}

std::string invalid_body(const std::string& message, std::string_view part, std::string_view name) {
  std::string body = R"({"detail":[{"loc":[)";
  wire::append_text(body, part, wire::NotUtf8::replace);
  if (!name.empty()) {
    body += ',';
    wire::append_text(body, name, wire::NotUtf8::replace);
  }
  body += R"(],"msg":)";
  wire::append_text(body, message, wire::NotUtf8::replace);
  return body + R"(,"type":"value_error"}]})";
}

}  // namespace

std::optional<std::string> RouteCall::query(std::string_view name) const {
  for (const auto& [key, value] : request.query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void Router::operator()(HttpRequest request, std::shared_ptr<HttpResponder> responder) const {
  std::string allowed;
  for (const auto& route : routes_) {
    auto captures = match(route.pattern, request.path);
    if (!captures) continue;
    const bool head = request.method == "HEAD" && route.method == "GET";
    if (request.method != route.method && !head) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method == "GET" ? "GET, HEAD" : route.method);
      continue;
    }
    route.function({std::move(request), std::move(*captures), std::move(responder)});
    return;
  }
  HttpReply reply = error_reply({Errc::not_found, allowed.empty() ? "Not Found" : "Method Not Allowed"});
  if (!allowed.empty()) {
    reply.status = 405;
    reply.headers.emplace_back("Allow", std::move(allowed));
  }
  responder->reply(std::move(reply));
}

int http_status(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
    case Errc::parse:
    case Errc::limit:
      return 422;
    case Errc::not_found:
      return 404;
    case Errc::conflict:
      return 409;
    case Errc::unavailable:
      return 503;
    case Errc::denied:
      return 403;
    case Errc::io:
    case Errc::internal:
      return 500;
  }
  return 500;
}

HttpReply error_reply(const Error& error, std::string_view part, std::string_view name) {
  HttpReply reply;
  reply.status = http_status(error.code);
  if (reply.status == 422) {
    reply.body = invalid_body(error.message, part, name);
    return reply;
  }
  wire::ObjectWriter writer(reply.body, wire::NotUtf8::replace);
  writer.text("detail", error.message);
  writer.close();
  if (reply.status == 503) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

}  // namespace hakuriver::service
