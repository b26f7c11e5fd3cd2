// A host that answers what it was told to, and remembers what it was asked.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/http.hpp"
#include "http/server.hpp"

namespace hakuriver::test {

class ScriptedHost {
 public:
  ScriptedHost() {
    auto opened = http::HttpServer::open({.listen = {{"127.0.0.1", 0}}}, [this](HttpRequest request, auto responder) {
      const std::string key = request.method + " " + request.path;
      {
        const std::lock_guard lock(mutex_);
        seen_.push_back(std::move(request));
      }
      responder->reply(next_reply(key));
    });
    REQUIRE(opened);
    server_ = std::move(*opened);
    REQUIRE(server_->start());
  }
  ~ScriptedHost() { server_->stop(); }
  ScriptedHost(const ScriptedHost&) = delete;
  ScriptedHost& operator=(const ScriptedHost&) = delete;

  // `what` is "GET /path". The replies come in order, the last one for ever.
  void answer(const std::string& what, std::vector<HttpReply> replies) { script_[what] = std::move(replies); }
  void answer(const std::string& what, std::string body) { answer(what, {HttpReply{.body = std::move(body)}}); }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->ports().front()); }
  std::vector<HttpRequest> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  HttpReply next_reply(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = script_.find(key);
    if (found == script_.end()) return {.status = 404, .body = R"({"detail":"nothing is known of )" + key + R"("})"};
    auto& replies = found->second;
    HttpReply reply = replies.front();
    if (replies.size() > 1) replies.erase(replies.begin());
    return reply;
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<HttpReply>> script_;
  std::vector<HttpRequest> seen_;
  std::unique_ptr<http::HttpServer> server_;
};

}  // namespace hakuriver::test
