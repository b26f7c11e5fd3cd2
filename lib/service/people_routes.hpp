// The routes that people, clients and pages use: the seed era's, and our own under /api/v1.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/host_service.hpp"
#include "service/router.hpp"
#include "service/task_output.hpp"
#include "service/task_queries.hpp"

namespace hakuriver::service {

class HealthHistory;
class OutputRequests;

struct PeopleOptions {
  std::string shared_dir;         // where output lies; empty: output is not served
  std::string default_container;  // for submissions that name none; empty: the node itself
  std::vector<std::string> default_mounts{};
  bool default_privileged = false;
  bool allow_privileged = true;
  std::optional<std::vector<std::string>> allow_mounts{};  // none: any directory
  // The container that a submission's becomes when it is taken, such as one version of an environment; it may read
  // files. None: each stays as it is.
  std::function<Result<std::string>(const std::string& container)> pin_container{};
};

// What the routes share. Everything in it must outlive the routes.
struct PeopleServices {
  HostService& host;
  TaskQueries& queries;
  OutputFollower& follower;
  OutputRequests& requests;
  HealthHistory& health;
  PeopleOptions options;
};

std::vector<Route> submission_routes(const PeopleServices& services);
std::vector<Route> task_routes(const PeopleServices& services);
std::vector<Route> batch_end_routes(const PeopleServices& services);
std::vector<Route> node_view_routes(const PeopleServices& services);
std::vector<Route> output_routes(const PeopleServices& services);

// The whole number in a query parameter; `otherwise` where it is not given. Errc::parse names the parameter.
Result<std::uint64_t> number_query(const RouteCall& call, std::string_view name, std::uint64_t otherwise,
                                   std::uint64_t least, std::uint64_t most);

}  // namespace hakuriver::service
