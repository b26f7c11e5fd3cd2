// How far a run is: one status line on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace hakuriver::cli {

struct ProgressCounts {
  std::uint64_t total = 0;  // without those that are skipped
  std::uint64_t done = 0;   // failed ones among them
  std::uint64_t failed = 0;
  std::uint64_t running = 0;
  std::uint64_t skipped = 0;
  bool on_cluster = false;  // those running were given to a cluster, where some may wait for a place
};

// "12/100 done, 1 failed, 4 running, 3.2/s, 27s left", and "50 skipped" before the rate where some are: at most
// `columns` wide. "88 on the cluster" where it is not told which of them run.
std::string progress_text(const ProgressCounts& counts, std::chrono::milliseconds elapsed, std::size_t columns);

class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Kind : std::uint8_t {
    none,
    line,   // drawn again and again in one place, at most ten times a second
    lines,  // one every ten seconds
  };

  Progress(Kind kind, int fd, Clock::time_point now) noexcept : kind_(kind), fd_(fd), begun_at_(now), shown_at_(now) {}

  // Something has changed, or some time has passed.
  void update(const ProgressCounts& counts, Clock::time_point now);

  // Takes the status line away; before anything else is written to the terminal.
  void erase();

  // The last words of a run: where plain lines are written, a last one.
  void finish(const ProgressCounts& counts, Clock::time_point now);

 private:
  void draw(const ProgressCounts& counts, Clock::time_point now);
  void print_line(const ProgressCounts& counts, Clock::time_point now);

  Kind kind_;
  int fd_;
  Clock::time_point begun_at_;
  Clock::time_point shown_at_;
  bool is_drawn_ = false;
};

}  // namespace hakuriver::cli
