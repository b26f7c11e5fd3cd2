#include "http/reachability.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "http/descriptor.hpp"

namespace hakuriver::http {
namespace {

// The errno of one attempt to connect; 0 where it succeeds.
int try_connect(const addrinfo& where, std::chrono::milliseconds limit) {
  const Descriptor socket(::socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return errno;
  if (::connect(socket.get(), where.ai_addr, where.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waiting{socket.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, static_cast<int>(limit.count())) <= 0) return ETIMEDOUT;
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
  return failure;
}

std::string words_for(int failure) {
  switch (failure) {
    case 0:
      return "connection failed";
    case ECONNREFUSED:
      return "connection refused; is the host running?";
    case ETIMEDOUT:
      return "connection timed out";
    case EHOSTUNREACH:
      return "no route to the machine";
    case ENETUNREACH:
      return "network unreachable";
    default:
      return std::generic_category().message(failure);
  }
}

}  // namespace

std::string why_unreachable(const Url& url, std::chrono::milliseconds limit) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (failure == EAI_NONAME) return "no such host name";
  if (failure != 0) return std::string("cannot look up the host name: ") + ::gai_strerror(failure);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int last = 0;
  for (const addrinfo* where = addresses.get(); where != nullptr; where = where->ai_next) {
    last = try_connect(*where, limit);
    if (last == 0) break;
  }
  return words_for(last);
}

std::string why_unreachable(const std::string& unix_socket) {
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_socket.copy(address.sun_path, sizeof address.sun_path - 1);
  if (!socket.is_open()) return std::generic_category().message(errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return "connection failed";
  }
  return errno == ECONNREFUSED ? "nobody listens there" : std::generic_category().message(errno);
}

}  // namespace hakuriver::http
