// One stream that sends a task's output as it is written, from wherever it can be read.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "hakuriver/http.hpp"
#include "hakuriver/views.hpp"
#include "service/people_routes.hpp"
#include "wire/output_messages.hpp"

namespace hakuriver::service {

enum class OutputStream : std::uint8_t { out, err };

const std::string& path_of(const TaskView& task, OutputStream which);
// What the task has written in all; 0 until it has ended.
std::uint64_t written_bytes(const TaskView& task, OutputStream which);
// All of it, in one part.
wire::OutputWant want_of(const TaskView& task, OutputStream which);

// Prefers the host's own view of the file; where that is absent, or shorter than what a finished task has written, it
// asks the task's node. A node that does not answer is asked again: the reader sees a pause.
class OutputFollow : public std::enable_shared_from_this<OutputFollow> {
 public:
  // From the last `tail` lines on, or where that is 0 from the byte at `offset`.
  OutputFollow(const PeopleServices& services, TaskView task, OutputStream which, std::uint64_t offset,
               std::uint64_t tail);

  // Sends the head, and then bytes until the task has ended and all was sent, or the reader is gone.
  void start(HttpResponder& responder, HttpReply head);

 private:
  using Clock = std::chrono::steady_clock;
  // What others set, who may outlive us.
  struct Signals {
    std::atomic<bool> has_ended{false};  // the task; what is known of it may be older
    std::atomic<bool> is_gone{false};    // the reader
  };
  enum class Next : std::uint8_t { stop, rest, ask_node, look_again };

  bool step();
  Next decide();
  // False: the host does not see all that there must be.
  bool send_own_view(bool& has_sent);
  void send(std::string_view bytes);
  void ask_node();
  void look_again();
  void take(const Result<wire::OutputPart>& part);

  const PeopleServices services_;
  const OutputStream which_;
  const std::shared_ptr<Signals> signals_ = std::make_shared<Signals>();
  std::shared_ptr<HttpStream> stream_;

  std::mutex mutex_;
  TaskView task_;               // guarded by mutex_, as all below
  std::uint64_t offset_;        // of the next byte
  std::uint64_t tail_;          // not yet turned into an offset, if not 0
  bool is_asking_{false};       // the node or the host has a question of ours
  Clock::time_point ask_at_{};  // not before
};

}  // namespace hakuriver::service
