#include "service/local_caller.hpp"

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hakuriver::service {
namespace {

constexpr std::size_t kMaxStreamed = std::size_t{64} << 20;

// Where the reply to one call is put, or the news that nobody waits for it any more.
struct Exchange {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<HttpReply> reply;
  bool is_over = false;  // answered or given up

  void finish(std::optional<HttpReply> with) {
    const std::lock_guard lock(mutex);
    if (is_over) return;
    is_over = true;
    reply = std::move(with);
    changed.notify_all();
  }
  bool is_waiting() {
    const std::lock_guard lock(mutex);
    return !is_over;
  }
};

class LocalStream final : public HttpStream {
 public:
  LocalStream(std::shared_ptr<Exchange> exchange, HttpReply head)
      : exchange_(std::move(exchange)), reply_(std::move(head)) {}
  ~LocalStream() override { LocalStream::close(); }

  bool write(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    if (!exchange_->is_waiting() || reply_.body.size() + bytes.size() > kMaxStreamed) return false;
    reply_.body += bytes;
    return true;
  }
  bool has_room() const override { return true; }
  void close() override {
    const std::lock_guard lock(mutex_);
    exchange_->finish(std::exchange(reply_, {}));
  }

 private:
  const std::shared_ptr<Exchange> exchange_;
  std::mutex mutex_;
  HttpReply reply_;  // guarded by mutex_
};

class LocalResponder final : public HttpResponder {
 public:
  explicit LocalResponder(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~LocalResponder() override {
    if (!streams_) exchange_->finish(HttpReply{.status = 500, .body = R"({"detail": "no answer"})"});
  }

  void reply(HttpReply reply) override { exchange_->finish(std::move(reply)); }
  std::shared_ptr<HttpStream> stream(HttpReply head, std::function<void()>) override {
    streams_ = true;
    return std::make_shared<LocalStream>(exchange_, std::move(head));
  }
  bool is_waiting() const override { return exchange_->is_waiting(); }

 private:
  const std::shared_ptr<Exchange> exchange_;
  bool streams_ = false;
};

class LocalCaller final : public HttpCaller {
 public:
  explicit LocalCaller(std::shared_ptr<const HttpHandler> handler) : handler_(std::move(handler)) {}

  Result<HttpReply> call(const HttpRequest& request, std::chrono::milliseconds deadline) override {
    const auto exchange = std::make_shared<Exchange>();
    if (!begin(exchange)) return Error{Errc::unavailable, "the call was cancelled"};
    (*handler_)(request, std::make_shared<LocalResponder>(exchange));
    std::unique_lock lock(exchange->mutex);
    const bool in_time = exchange->changed.wait_for(lock, deadline, [&exchange] { return exchange->is_over; });
    exchange->is_over = true;
    if (exchange->reply) return std::move(*exchange->reply);
    return Error{Errc::unavailable, in_time ? "the call was cancelled" : "no answer in time"};
  }

  void cancel() override {
    const std::lock_guard lock(mutex_);
    is_cancelled_ = true;
    if (exchange_) exchange_->finish(std::nullopt);
  }

 private:
  bool begin(const std::shared_ptr<Exchange>& exchange) {
    const std::lock_guard lock(mutex_);
    exchange_ = exchange;
    return !is_cancelled_;
  }

  const std::shared_ptr<const HttpHandler> handler_;
  std::mutex mutex_;
  std::shared_ptr<Exchange> exchange_;  // guarded by mutex_
  bool is_cancelled_ = false;           // guarded by mutex_
};

}  // namespace

CallerFactory make_local_callers(HttpHandler handler) {
  return [shared = std::make_shared<const HttpHandler>(std::move(handler))]() -> std::unique_ptr<HttpCaller> {
    return std::make_unique<LocalCaller>(shared);
  };
}

}  // namespace hakuriver::service
