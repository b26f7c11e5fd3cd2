// One run of the client: what was asked for, the host, and where the words go.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/client_options.hpp"
#include "cli/streams.hpp"
#include "cli/table.hpp"
#include "hakuriver/http.hpp"
#include "hakuriver/result.hpp"
#include "http/client.hpp"
#include "http/url.hpp"

namespace hakuriver::cli {

class ClientSession {
 public:
  // Reads the configuration and the token; connects when something is asked. The message names the file or flag.
  static Result<ClientSession> open(ClientOptions options, const std::vector<std::string>& environment,
                                    Streams streams);

  const ClientOptions& options() const noexcept { return options_; }
  http::HttpClient& host() noexcept { return *host_; }
  const Look& look() const noexcept { return look_; }

  // Data. False where nobody takes it any more.
  bool print(std::string_view text);
  // One line of talk, unless --quiet.
  void say(std::string_view line);
  // One line of what went wrong.
  void complain(std::string_view line);
  // The same, with the exit status that belongs to it.
  int fail(const Error& error);
  int fail(const HttpReply& reply);

  // Whether there is a token now where there was none: host and client may have been started at the same time. What
  // is asked from then on carries it.
  bool finds_token();

  // GET. A reply other than 2xx is a reply as well.
  Result<HttpReply> get(const std::string& path);
  Result<HttpReply> get(const std::string& path, std::chrono::milliseconds read_timeout);
  // The body where it is 2xx, else the exit status, the reason being told.
  struct Answer {
    int exit = 0;
    std::string body{};
  };
  Answer ask(const std::string& path);

 private:
  ClientSession(ClientOptions options, Streams streams, Look look, std::unique_ptr<http::HttpClient> host);

  std::string about_token() const;

  ClientOptions options_;
  Streams streams_;
  Look look_;
  std::unique_ptr<http::HttpClient> host_;
  http::Url url_{};
  // Of these one is empty.
  std::string token_file_{};
  std::string missing_token_file_{};
};

// Whether the host, or what stands before it, asks to come again later.
constexpr bool is_passing(int status) noexcept { return status == 502 || status == 503 || status == 504; }

}  // namespace hakuriver::cli
