// The routes that runners use: the node protocol of hakuriver/messages.hpp over HTTP.
#pragma once

#include <vector>

#include "service/host_service.hpp"
#include "service/router.hpp"

namespace hakuriver::service {

// POST /api/v1/node/{hello,register,poll,report,goodbye}. 200: the answer. 409: a NodeRefusal. 422: not understood.
// 503: not committed, send it again later. `host` must outlive the routes.
std::vector<Route> node_routes(HostService& host);

}  // namespace hakuriver::service
