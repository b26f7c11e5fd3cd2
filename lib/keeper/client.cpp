#include "keeper/client.hpp"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <algorithm>

#include "keeper/clocks.hpp"
#include "keeper/connect.hpp"
#include "keeper/frame_stream.hpp"

namespace hakuriver::keeper {
namespace {

constexpr std::size_t kSendAtOnce = std::size_t{32} << 10;
constexpr std::size_t kMaxUnsent = std::size_t{64} << 20;
constexpr std::size_t kReadPerDispatch = std::size_t{1} << 20;
constexpr int kTries = 4;  // a keeper may be about to go just when it is asked

Error not_connected() { return Error{Errc::unavailable, "not connected to the keeper"}; }

class KeeperClient final : public KeeperPort {
 public:
  KeeperClient(KeeperClientOptions options, Descriptor epoll)
      : options_(std::move(options)), epoll_(std::move(epoll)) {}

  Result<KeeperListing> take_over(const std::string& cluster_id, Epoch epoch) override;
  Status start(const StartRequest& request) override;
  Status signal(AttemptKey key, TaskSignal signal, std::chrono::milliseconds grace) override;
  Status confirm(std::uint64_t record) override;
  int descriptor() const override { return epoll_.get(); }
  void dispatch(const KeeperEvents& events) override;

 private:
  Status connect_or_launch(int attempt);
  Result<KeeperListing> read_listing(MonotonicTime until);
  Status read_more(MonotonicTime until);
  Status queue(FrameType type, std::string_view body);
  void watch(bool writable, int operation);
  void deliver(const Frame& frame, const KeeperEvents& events);
  void lose(Error error);

  KeeperClientOptions options_;
  Descriptor epoll_;
  FrameStream stream_;
  bool writable_watched_ = false;
  std::uint32_t version_ = 1;  // that the keeper chose
  std::optional<Error> lost_;  // and not yet told
};

void KeeperClient::watch(bool writable, int operation) {
  epoll_event event{};
  event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
  ::epoll_ctl(epoll_.get(), operation, stream_.descriptor(), &event);
  writable_watched_ = writable;
}

// The socket is left open for dispatch() to find: descriptor() stays readable until `gone` is told.
void KeeperClient::lose(Error error) {
  if (!lost_) lost_ = std::move(error);
}

Status KeeperClient::connect_or_launch(int attempt) {
  auto socket = connect_to_keeper(options_.state_directory);
  if (!socket && socket.error().code == Errc::not_found) {
    const auto launched = launch_keeper(options_);
    // Another agent's keeper may have been faster.
    if (!launched && (launched.error().code != Errc::unavailable || attempt + 1 == kTries)) return launched;
    socket = connect_to_keeper(options_.state_directory);
    if (!socket && !launched) return launched;
  }
  if (!socket) return socket.error();
  stream_ = FrameStream(std::move(*socket));
  return Unit{};
}

Result<KeeperListing> KeeperClient::take_over(const std::string& cluster_id, Epoch epoch) {
  if (cluster_id.size() > kMaxClusterId) return Error{Errc::invalid_argument, "a cluster id beyond 256 bytes"};
  stream_.close();
  lost_.reset();
  Error last{Errc::unavailable, "the keeper does not answer"};
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const auto connected = connect_or_launch(attempt);
    if (!connected) return connected.error();
    stream_.send(FrameType::hello, encode_hello({1, kProtocolVersion, cluster_id, epoch}));
    auto listing = read_listing(monotonic_now() + options_.patience);
    if (listing) {
      watch(stream_.unsent() > 0, EPOLL_CTL_ADD);
      return listing;
    }
    stream_.close();
    last = listing.error();
    if (last.code != Errc::unavailable) break;
  }
  return last;
}

Status KeeperClient::read_more(MonotonicTime until) {
  const auto flushed = stream_.flush();
  if (!flushed) return flushed;
  while (true) {
    const auto left = (until.microseconds - monotonic_now().microseconds) / 1000;
    if (left <= 0) return Error{Errc::io, "the keeper does not answer"};
    const short wanted = stream_.unsent() > 0 ? POLLIN | POLLOUT : POLLIN;
    pollfd ready{stream_.descriptor(), wanted, 0};
    const int polled = ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 3'600'000)));
    if (polled < 0 && errno != EINTR) return io_error("poll", errno);
    if (polled > 0) return stream_.receive(kReadPerDispatch);
  }
}

Result<KeeperListing> KeeperClient::read_listing(MonotonicTime until) {
  std::optional<KeeperListing> listing;
  std::optional<Error> closed;
  while (true) {
    const auto frame = stream_.next();
    if (!frame) return Error{Errc::io, "the keeper: " + frame.error().message};
    if (!*frame) {
      // What came before the end may say why it ended.
      if (closed) return *closed;
      const auto more = read_more(until);
      if (!more) closed = more.error();
      continue;
    }
    const auto [type, body] = **frame;
    const auto refused = type == FrameType::refused ? decode_refused(body) : std::nullopt;
    if (refused) return *refused;
    if (type == FrameType::listing) listing = decode_listing(body, version_);
    if (type == FrameType::listing_end && listing) return std::move(*listing);
    auto attempt = type == FrameType::listed ? decode_attempt(body) : std::nullopt;
    if (attempt && listing) listing->attempts.push_back(std::move(*attempt));
  }
}

Status KeeperClient::queue(FrameType type, std::string_view body) {
  if (lost_) return *lost_;
  if (!stream_.is_open()) return not_connected();
  if (body.size() + 1 > kMaxFrame) {
    return Error{Errc::limit, "a request of " + std::to_string(body.size()) + " bytes: expected at most " +
                                  std::to_string(kMaxFrame - 1)};
  }
  if (stream_.unsent() > kMaxUnsent) return Error{Errc::limit, "the keeper does not take more requests now"};
  stream_.send(type, body);
  if (stream_.unsent() >= kSendAtOnce) {
    const auto flushed = stream_.flush();
    if (!flushed) lose(flushed.error());
  }
  // Being writable makes descriptor() readable, and dispatch() sends the rest.
  if (!writable_watched_) watch(true, EPOLL_CTL_MOD);
  return Unit{};
}

Status KeeperClient::start(const StartRequest& request) {
  const auto checked = check_start(request);
  if (!checked) return checked;
  if (!request.cgroup.empty() && version_ < kFirstVersionWithCgroups) {
    return Error{Errc::internal,
                 "the keeper that runs here is of a version without cgroups: it goes when its tasks have ended and the "
                 "runner is stopped for ten seconds"};
  }
  if (version_ < kFirstVersionWithSpecials && is_special(request)) {
    return Error{Errc::internal,
                 "the keeper that runs here is of a version without users, time limits and launchers: it goes when its "
                 "tasks have ended and the runner is stopped for ten seconds"};
  }
  return queue(FrameType::start, encode_start(request));
}

Status KeeperClient::signal(AttemptKey key, TaskSignal signal, std::chrono::milliseconds grace) {
  return queue(FrameType::signal, encode_signal({key, signal, grace}));
}

Status KeeperClient::confirm(std::uint64_t record) { return queue(FrameType::confirm, encode_confirm(record)); }

void KeeperClient::deliver(const Frame& frame, const KeeperEvents& events) {
  if (frame.type == FrameType::refused) {
    const auto refused = decode_refused(frame.body);
    return lose(refused.value_or(Error{Errc::internal, "the keeper closed the connection"}));
  }
  const auto attempt = decode_attempt(frame.body);
  if (!attempt) return lose(Error{Errc::internal, "the keeper sent what cannot be read"});
  if (frame.type == FrameType::started && events.started) events.started(*attempt);
  if (frame.type == FrameType::changed && events.changed) events.changed(*attempt);
  if (frame.type == FrameType::ended && events.ended) events.ended(*attempt);
}

void KeeperClient::dispatch(const KeeperEvents& events) {
  if (!stream_.is_open()) return;
  const auto flushed = stream_.flush();
  const auto received = stream_.receive(kReadPerDispatch);
  while (true) {
    const auto frame = stream_.next();
    if (!frame) lose(frame.error());
    if (!frame || !*frame) break;
    deliver(**frame, events);
  }
  if (!received) lose(received.error());
  if (!flushed) lose(flushed.error());
  if (!lost_) {
    const auto sent = stream_.flush();  // what the callbacks asked for
    if (!sent) lose(sent.error());
  }
  if (lost_) {
    stream_.close();
    const Error error = std::move(*std::exchange(lost_, std::nullopt));
    if (events.gone) events.gone(error);
    return;
  }
  const bool waiting = stream_.unsent() > 0;
  if (waiting != writable_watched_) watch(waiting, EPOLL_CTL_MOD);
}

}  // namespace

Result<std::unique_ptr<KeeperPort>> open_keeper(KeeperClientOptions options) {
  if (options.state_directory.empty() || options.state_directory.front() != '/') {
    return Error{Errc::invalid_argument,
                 "state directory '" + options.state_directory + "': expected an absolute path"};
  }
  if (::mkdir(options.state_directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return io_error(options.state_directory, errno);
  }
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return io_error("epoll", errno);
  return std::unique_ptr<KeeperPort>(std::make_unique<KeeperClient>(std::move(options), std::move(epoll)));
}

}  // namespace hakuriver::keeper
