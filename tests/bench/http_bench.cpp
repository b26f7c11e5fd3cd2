// Load on the host's HTTP server over connections that are kept, each with one request under way:
//
//   bench_http PORT TOKEN CONNECTIONS REQUESTS METHOD PATH [BODY]
//
// Prints {"per_second": .., "p50": .., "p99": .., "refused": ..}; latencies in microseconds. Replies other than 2xx are
// refused ones.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int connect_to(unsigned port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bench_http: connect");
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return socket;
}

// The length of the reply at the start of `text`, or 0 where it is not whole yet.
std::size_t reply_size(const std::string& text) {
  const auto head = text.find("\r\n\r\n");
  if (head == std::string::npos) return 0;
  std::size_t body = 0;
  const char* const length = ::strcasestr(text.c_str(), "\r\ncontent-length:");
  if (length != nullptr && length < text.c_str() + head) body = std::strtoul(length + 17, nullptr, 10);
  return text.size() >= head + 4 + body ? head + 4 + body : 0;
}

class Load {
 public:
  Load(unsigned port, std::string request, std::size_t connections, std::size_t requests)
      : request_(std::move(request)), left_(requests), connections_(connections) {
    for (auto& each : connections_) each.socket = connect_to(port);
    latencies_.reserve(requests);
  }

  void run() {
    const auto start = Clock::now();
    std::vector<pollfd> sockets;
    for (auto& each : connections_) {
      sockets.push_back({each.socket, POLLIN, 0});
      send(each);
    }
    const std::size_t requests = latencies_.capacity();
    while (latencies_.size() < requests) {
      if (::poll(sockets.data(), sockets.size(), 60'000) <= 0) fail("bench_http: poll");
      for (std::size_t i = 0; i < sockets.size(); ++i) {
        if (sockets[i].revents != 0) receive(connections_[i]);
      }
    }
    report(std::chrono::duration<double>(Clock::now() - start).count());
  }

 private:
  struct Connection {
    int socket = -1;
    Clock::time_point sent;
    std::string text;
  };

  void send(Connection& connection) {
    if (left_ == 0) return;
    --left_;
    connection.sent = Clock::now();
    if (::send(connection.socket, request_.data(), request_.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request_.size())) {
      fail("bench_http: send");
    }
  }

  void receive(Connection& connection) {
    char buffer[16 << 10];
    const ssize_t got = ::recv(connection.socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got <= 0) fail("bench_http: the host closed a connection");
    connection.text.append(buffer, static_cast<std::size_t>(got));
    const std::size_t size = reply_size(connection.text);
    if (size == 0) return;
    latencies_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - connection.sent).count());
    if (connection.text.compare(0, 10, "HTTP/1.1 2") != 0) ++refused_;
    connection.text.erase(0, size);
    send(connection);
  }

  void report(double seconds) {
    std::sort(latencies_.begin(), latencies_.end());
    const std::size_t count = latencies_.size();
    std::printf("{\"per_second\": %.0f, \"p50\": %.1f, \"p99\": %.1f, \"refused\": %zu}\n",
                static_cast<double>(count) / seconds, latencies_[count / 2], latencies_[count * 99 / 100], refused_);
  }

  const std::string request_;
  std::size_t left_;
  std::vector<Connection> connections_;
  std::vector<double> latencies_;
  std::size_t refused_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7 && argc != 8) {
    std::fputs("usage: bench_http PORT TOKEN CONNECTIONS REQUESTS METHOD PATH [BODY]\n", stderr);
    return 2;
  }
  const auto number = [argv](int index) { return std::strtoul(argv[index], nullptr, 10); };
  const std::string body = argc == 8 ? argv[7] : "";
  std::string request = std::string(argv[5]) + " " + argv[6] + " HTTP/1.1\r\nHost: 127.0.0.1:" + argv[1] +
                        "\r\nAuthorization: Bearer " + argv[2] + "\r\n";
  if (!body.empty()) {
    request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  request += "\r\n" + body;
  if (number(3) == 0 || number(4) == 0)
    return std::fputs("bench_http: at least one connection and request\n", stderr), 2;
  Load(static_cast<unsigned>(number(1)), std::move(request), number(3), number(4)).run();
  return 0;
}
