// A Unix socket that answers each connection by the next script, whatever is asked.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/scratch_directory.hpp"

namespace hakuriver::test {

// The answers of one connection, request by request, before it is closed.
using Script = std::vector<std::string>;

inline std::string answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class ScriptedSocket {
 public:
  explicit ScriptedSocket(std::vector<Script> scripts) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
    if (::listen(listener_, 8) != 0) std::abort();
    thread_ = std::thread([this, scripts = std::move(scripts)] {
      for (const auto& script : scripts) serve(script);
      // Whoever comes back is refused, and who came just before that is turned away.
      ::shutdown(listener_, SHUT_RDWR);
      for (int late = 0; (late = ::accept(listener_, nullptr, nullptr)) >= 0;) ::close(late);
    });
  }
  ~ScriptedSocket() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  ScriptedSocket(const ScriptedSocket&) = delete;
  ScriptedSocket& operator=(const ScriptedSocket&) = delete;

  std::string path() const { return directory_ / "engine.sock"; }

  // What has been asked so far, the first line of each.
  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  // How long a request is as far as one can see; more than there is of it where its head is not whole.
  static std::size_t length_of(const std::string& request) {
    const auto end = request.find("\r\n\r\n");
    if (end == std::string::npos) return request.size() + 1;
    const std::string name = "Content-Length: ";
    const auto length = request.find(name);
    return end + 4 + (length < end ? std::strtoul(request.c_str() + length + name.size(), nullptr, 10) : 0);
  }

  // A whole request; nothing where there comes none.
  static std::string read_request(int file) {
    std::string request;
    std::array<char, 65536> buffer;
    while (request.size() < length_of(request)) {
      const ssize_t size = ::read(file, buffer.data(), buffer.size());
      if (size <= 0) return {};
      request.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return request;
  }

  void serve(const Script& script) {
    const int file = ::accept(listener_, nullptr, nullptr);
    if (file < 0) return;
    for (const auto& text : script) {
      const std::string request = read_request(file);
      if (request.empty()) break;
      {
        const std::lock_guard lock(mutex_);
        asked_.push_back(request.substr(0, request.find("\r\n")));
      }
      for (std::size_t at = 0; at < text.size();) {
        const ssize_t sent = ::send(file, text.data() + at, text.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) break;
        at += static_cast<std::size_t>(sent);
      }
    }
    ::close(file);
  }

  ScratchDirectory directory_;
  int listener_;
  mutable std::mutex mutex_;
  std::vector<std::string> asked_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace hakuriver::test
