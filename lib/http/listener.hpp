// Sockets that listen, and the connections that they give.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "hakuriver/result.hpp"
#include "http/descriptor.hpp"
#include "http/server.hpp"

namespace hakuriver::http {

struct Listener {
  std::uint16_t port = 0;
  std::vector<Descriptor> sockets;  // one per address of the name; at least one
};

// Non-blocking, close-on-exec, with a backlog of 1024. An IPv6 address takes IPv6 connections only. Connections
// inherit from it: no delay for small writes, and probes that notice a peer which vanished within two minutes.
Result<Listener> open_listener(const ListenAddress& address);

// "10.0.0.7" or "fd00::7", without the port; IPv4 within IPv6 is shown as IPv4.
std::string address_text(const sockaddr_storage& address);

}  // namespace hakuriver::http
