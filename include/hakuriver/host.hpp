// A host: it takes submissions, remembers them, and has them run by the runners that connect to it.
//
//   auto host = Host::open({.database = "cluster.db", .shared_dir = "/mnt/shared"}, log);
//   (*host)->start();
//   ...
//   (*host)->stop();
//
// What it has acknowledged survives its death; running tasks do not notice it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/caller.hpp"
#include "hakuriver/log.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// An address to listen on: a name, an IPv4 or an IPv6 address, and a port, 0 for one that the system chooses.
struct HostAddress {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8000;
};

struct HostOptions {
  std::vector<HostAddress> listen{};  // none: no socket, only connect() leads here
  std::string database{};             // a file, made where it is missing; empty: in memory, and gone at the end
  std::string shared_dir{};           // where runners put output, as this machine sees it; empty: output is not served
  std::string package_dir{};          // where environments are packaged; empty: a container's name is used as it is
  std::string token{};                // hexadecimal; empty: none is asked for, and only loopback may be listened on
  std::string reachable_address{};    // how others name this host, for the check of browsers' requests
  std::vector<std::string> allowed_hosts{};    // further names that a browser may use
  std::vector<std::string> allowed_origins{};  // pages elsewhere that may ask
  std::string default_container{};             // for submissions that name none; empty, "NULL": the node itself
  std::vector<std::string> default_mounts{};   // of a container whose submission does not say
  bool default_privileged = false;             // the same
  bool allow_privileged = true;                // whether a submission may ask for it
  std::optional<std::vector<std::string>> allow_mounts{};  // below which it may mount; none: any directory
  std::chrono::milliseconds report_interval{5'000};        // how often a node is heard of at least
  std::chrono::milliseconds silence{30'000};               // a node that is silent for longer is lost
  std::chrono::seconds keep_finished{30LL * 24 * 3600};    // finished work is forgotten after this
  std::optional<std::chrono::seconds> forget_after{};      // a silent node is forgotten after this; none: never
  bool accept_restore = false;  // the database is an older copy: its unfinished tasks are lost until nodes list them
  unsigned workers = 4;         // threads that read requests
};

class Host {
 public:
  // Checks the options, opens the database and binds the addresses. Errc::invalid_argument names the option that is
  // wrong; Errc::conflict where another host uses the database.
  static Result<std::unique_ptr<Host>> open(HostOptions options, std::shared_ptr<LogSink> log);
  // Stops.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Reads the database and begins to answer. Once.
  Status start();
  // Accepts no more, commits what waits, answers every waiter that it is stopping. From any thread but the host's own.
  void stop() noexcept;

  // The ports that are bound, one for each address of `listen`.
  std::vector<std::uint16_t> ports() const;
  // Leads to this host without a socket and without a token, as long as it lives.
  CallerFactory connect() const;

 private:
  struct Impl;
  explicit Host(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace hakuriver
