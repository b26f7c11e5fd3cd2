#include "http/listener.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace hakuriver::http {
namespace {

constexpr int kBacklog = 1024;

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

std::string quoted(const ListenAddress& address) {
  return "'" + address.host + "' port " + std::to_string(address.port);
}

Error cannot_listen(const ListenAddress& address, int error) {
  return {Errc::unavailable, "cannot listen on " + quoted(address) + ": " + std::generic_category().message(error)};
}

Result<Addresses> resolve(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failure != 0) {
    return Error{Errc::unavailable, "cannot listen on " + quoted(address) + ": " + ::gai_strerror(failure)};
  }
  return Addresses(found, &::freeaddrinfo);
}

void set_option(int fd, int level, int name, int value) noexcept {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

void set_port(sockaddr_storage& address, std::uint16_t port) noexcept {
  if (address.ss_family == AF_INET) reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
  if (address.ss_family == AF_INET6) reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(port);
}

std::uint16_t bound_port(int fd) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

// An open socket, or none with errno set.
Descriptor listen_at(const addrinfo& where, std::uint16_t port) {
  Descriptor socket(::socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return {};
  const int fd = socket.get();
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (where.ai_family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  sockaddr_storage address{};
  std::memcpy(&address, where.ai_addr, where.ai_addrlen);
  set_port(address, port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), where.ai_addrlen) != 0) return {};
  if (::listen(fd, kBacklog) != 0) return {};
  return socket;
}

}  // namespace

Result<Listener> open_listener(const ListenAddress& address) {
  const auto addresses = resolve(address);
  if (!addresses) return addresses.error();
  Listener listener;
  listener.port = address.port;
  int failure = 0;
  for (const addrinfo* where = addresses->get(); where != nullptr; where = where->ai_next) {
    auto socket = listen_at(*where, listener.port);
    if (socket.is_open()) {
      listener.port = bound_port(socket.get());
      listener.sockets.push_back(std::move(socket));
    } else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) {
      return cannot_listen(address, errno);
    } else {
      failure = errno;  // a name may have addresses that this machine lacks, such as ::1 for localhost
    }
  }
  if (listener.sockets.empty()) return cannot_listen(address, failure);
  return listener;
}

std::string address_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(), text.size());
    return text.data();
  }
  if (address.ss_family != AF_INET6) return {};
  const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&ipv6)) {
    ::inet_ntop(AF_INET, &ipv6.s6_addr[12], text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, &ipv6, text.data(), text.size());
  }
  return text.data();
}

}  // namespace hakuriver::http
