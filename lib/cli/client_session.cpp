#include "cli/client_session.hpp"

#include <ostream>
#include <utility>
#include <vector>

#include "cli/cluster_token.hpp"
#include "cli/exit_status.hpp"
#include "config/token.hpp"
#include "hakuriver/config.hpp"
#include "wire/people.hpp"

namespace hakuriver::cli {

ClientSession::ClientSession(ClientOptions options, Streams streams, Look look, std::unique_ptr<http::HttpClient> host)
    : options_(std::move(options)), streams_(streams), look_(look), host_(std::move(host)) {}

Result<ClientSession> ClientSession::open(ClientOptions options, const std::vector<std::string>& environment,
                                          Streams streams) {
  ConfigSources sources{.config_file = options.config_file, .environment = environment};
  if (!options.host_url.empty()) sources.flags.push_back({"network.host_url", options.host_url, "--host"});
  const auto loaded = load_config(sources);
  // A file that is missing is as wrong as one that cannot be read: the command line named it.
  if (!loaded) return Error{Errc::invalid_argument, loaded.error().message};
  const auto url = http::parse_url(loaded->config.network.host_url);
  if (!url) return Error{Errc::invalid_argument, url.error().message};
  // A host that needs no token is fine without a token file; one that needs it will say so.
  auto token = cluster_token(loaded->config, false);
  const bool is_missing = !token && token.error().code == Errc::not_found;
  if (!token && !is_missing) return token.error();
  if (is_missing) token = std::string{};
  auto host = http::HttpClient::open(*url, {.token = std::move(*token)});
  if (!host) return host.error();
  ClientSession session(std::move(options), streams, look_of_output(), std::move(*host));
  session.url_ = *url;
  (is_missing ? session.missing_token_file_ : session.token_file_) = loaded->config.security.token_file;
  return session;
}

bool ClientSession::print(std::string_view text) {
  streams_.out.write(text.data(), static_cast<std::streamsize>(text.size()));
  streams_.out.flush();
  return streams_.out.good();
}

void ClientSession::say(std::string_view line) {
  if (!options_.is_quiet) complain(line);
}

void ClientSession::complain(std::string_view line) {
  streams_.err << "hakuriver.client: " << printable(line) << std::endl;
}

int ClientSession::fail(const Error& error) {
  complain(error.message);
  return exit_of(error.code);
}

int ClientSession::fail(const HttpReply& reply) {
  const std::string detail = wire::decode_error(reply.body);
  const std::string status = "the host answered " + std::to_string(reply.status);
  complain((detail.empty() ? status : detail) + (reply.status == 401 ? about_token() : ""));
  return exit_of_http(reply.status);
}

std::string ClientSession::about_token() const {
  if (!missing_token_file_.empty()) return ", and there is no token file '" + missing_token_file_ + "'";
  return "; the token here is that of '" + token_file_ + "'";
}

bool ClientSession::finds_token() {
  if (missing_token_file_.empty()) return false;
  auto token = config::read_token_file(missing_token_file_);
  if (!token) return false;
  auto host = http::HttpClient::open(url_, {.token = std::move(*token)});
  if (!host) return false;
  host_ = std::move(*host);
  token_file_ = std::exchange(missing_token_file_, {});
  return true;
}

Result<HttpReply> ClientSession::get(const std::string& path) { return get(path, std::chrono::milliseconds{0}); }

Result<HttpReply> ClientSession::get(const std::string& path, std::chrono::milliseconds read_timeout) {
  return host_->send({.method = "GET", .path = path, .read_timeout = read_timeout, .is_repeatable = true});
}

ClientSession::Answer ClientSession::ask(const std::string& path) {
  auto reply = get(path);
  if (!reply) return {fail(reply.error())};
  if (reply->status / 100 != 2) return {fail(*reply)};
  return {kExitGood, std::move(reply->body)};
}

}  // namespace hakuriver::cli
