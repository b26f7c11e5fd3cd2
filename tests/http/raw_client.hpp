// A socket and no manners: says exactly what a test tells it to, and reads what comes back.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace hakuriver::test {

// Long enough for a sanitizer build on a busy machine; only a defect waits so long.
constexpr std::chrono::seconds kPatience{20};

// For conditions that nobody announces.
template <class Condition>
bool eventually(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

struct RawReply {
  std::string head;  // without the empty line
  std::string body;

  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
  int status() const { return head.size() < 12 ? 0 : std::atoi(head.c_str() + 9); }
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{kPatience.count(), 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), is_connected_(other.is_connected_), input_(std::move(other.input_)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() { hang_up(); }

  bool is_connected() const { return is_connected_; }

  void hang_up() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  // False when the server has closed its side.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto size = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (size <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
  }

  bool get(const std::string& path) { return send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n"); }

  bool has_input() const {
    pollfd waiting{fd_, POLLIN, 0};
    return !input_.empty() || ::poll(&waiting, 1, 0) > 0;
  }

  // One reply; chunks are joined. An empty head when the connection ended first.
  RawReply read(bool has_body = true) {
    RawReply reply{read_through("\r\n\r\n"), ""};
    if (!has_body || reply.status() == 204 || reply.status() == 304 || reply.status() == 100) return reply;
    if (reply.has("Transfer-Encoding: chunked")) {
      for (auto chunk = read_chunk(); !chunk.empty(); chunk = read_chunk()) reply.body += chunk;
    } else if (const auto at = reply.head.find("Content-Length: "); at != std::string::npos) {
      reply.body = read_exactly(std::strtoul(reply.head.c_str() + at + 16, nullptr, 10));
    }
    return reply;
  }

  RawReply read_head() { return read(false); }

  // The next chunk's data; empty for the last one, or at the end of the connection.
  std::string read_chunk() {
    const auto size = std::strtoul(read_through("\r\n").c_str(), nullptr, 16);
    auto data = read_exactly(size);
    read_exactly(2);
    return data;
  }

  // Everything up to the end of the connection.
  std::string read_all() {
    while (fill()) continue;
    return std::exchange(input_, {});
  }

  // True once the server has closed, without a further byte.
  bool is_closed() { return input_.empty() && !fill() && input_.empty(); }

  std::string read_exactly(std::size_t size) {
    while (input_.size() < size && fill()) continue;
    auto taken = input_.substr(0, size);
    input_.erase(0, taken.size());
    return taken;
  }

 private:
  std::string read_through(std::string_view end) {
    auto at = input_.find(end);
    while (at == std::string::npos && fill()) at = input_.find(end);
    if (at == std::string::npos) return {};
    auto text = input_.substr(0, at);
    input_.erase(0, at + end.size());
    return text;
  }

  bool fill() {
    std::array<char, 64 << 10> buffer{};
    const auto size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (size > 0) input_.append(buffer.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  int fd_;
  bool is_connected_ = false;
  std::string input_;
};

}  // namespace hakuriver::test
