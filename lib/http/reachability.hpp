// Why a host cannot be reached, in words.
#pragma once

#include <chrono>
#include <string>

#include "http/url.hpp"

namespace hakuriver::http {

// "connection refused; is the host running?", "no such host name", "connection timed out", ... Tries once to connect.
std::string why_unreachable(const Url& url, std::chrono::milliseconds limit);

// The same of a Unix socket, of less than 108 bytes: "no such file", "permission denied", "nobody listens there", ...
std::string why_unreachable(const std::string& unix_socket);

}  // namespace hakuriver::http
