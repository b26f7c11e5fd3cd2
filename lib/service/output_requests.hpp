// What the host asks runners for: output that lies on their machines only. Runners connect and the host never does, so
// a runner keeps one question waiting here, and it is answered when there is something to ask.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "hakuriver/http.hpp"
#include "hakuriver/result.hpp"
#include "service/router.hpp"
#include "wire/output_messages.hpp"

namespace hakuriver::service {

struct OutputTimes {
  std::chrono::milliseconds answer{10'000};  // a part that has not come by then does not come
  std::chrono::milliseconds hold{30'000};    // how long a runner's question waits
};

class OutputRequests {
 public:
  using Answer = std::function<void(Result<wire::OutputPart>)>;

  explicit OutputRequests(OutputTimes times = {});
  // Drops what is not answered.
  ~OutputRequests();
  OutputRequests(const OutputRequests&) = delete;
  OutputRequests& operator=(const OutputRequests&) = delete;

  // From any thread. `answer` is called once, from any thread, and must not block; it may be called before this
  // returns. Errc::unavailable where the node does not answer in time or has been asked for too much; Errc::not_found
  // where it has no such file.
  void ask(const std::string& node, wire::OutputWant want, Answer answer);

  // A runner's question, with the parts that were wanted before.
  void take(wire::OutputPoll poll, std::shared_ptr<HttpResponder> responder);

 private:
  using Clock = std::chrono::steady_clock;
  struct Pending {
    std::string node;
    wire::OutputWant want;
    Answer answer;
    Clock::time_point until;
    bool is_sent = false;
  };
  struct Waiting {
    std::shared_ptr<HttpResponder> responder;
    Clock::time_point until;
  };
  // What is to be done once the mutex is free.
  using Deeds = std::vector<std::function<void()>>;

  void run();
  void expire(Clock::time_point now, Deeds& deeds);
  std::optional<Clock::time_point> next_deadline() const;
  void accept(std::vector<wire::OutputPart> parts, const std::string& node, Deeds& deeds);
  void send(const std::string& node, Deeds& deeds);

  const OutputTimes times_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Pending> pending_;  // guarded by mutex_, as all below; by number
  std::map<std::string, Waiting> waiting_;    // by node
  std::uint64_t last_number_ = 0;
  bool is_over_ = false;
  std::thread thread_;
};

// POST /api/v1/node/output. `requests` must outlive the routes.
std::vector<Route> output_request_routes(OutputRequests& requests);

}  // namespace hakuriver::service
