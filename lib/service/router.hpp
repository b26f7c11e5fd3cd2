// From a request to the function that answers it, by a table of method and path.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/http.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::service {

// A request on its way to an answer. `captures` holds what stood at the pattern's `*` segments, in order.
struct RouteCall {
  HttpRequest request;
  std::vector<std::string> captures;
  std::shared_ptr<HttpResponder> responder;

  // The first value of a query parameter; none where it is not given.
  std::optional<std::string> query(std::string_view name) const;
};

using RouteFunction = std::function<void(RouteCall)>;

struct Route {
  std::string_view method;
  std::string_view pattern;  // such as "/status/*": `*` is one whole segment, never empty
  RouteFunction function;
};

class Router {
 public:
  explicit Router(std::vector<Route> routes) : routes_(std::move(routes)) {}

  // 404 where no pattern matches, 405 where one does with another method.
  void operator()(HttpRequest request, std::shared_ptr<HttpResponder> responder) const;

 private:
  std::vector<Route> routes_;
};

// {"detail": message} with the status that belongs to the code; 422 in the list form that FastAPI has, with the place
// of what is wrong: {"detail": [{"loc": ["path", "task_id"], "msg": ..., "type": ...}]}.
HttpReply error_reply(const Error& error, std::string_view part = "body", std::string_view name = {});
int http_status(Errc code) noexcept;

}  // namespace hakuriver::service
