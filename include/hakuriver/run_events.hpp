// What a run tells while it goes on, and what it says at its end.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "hakuriver/outcome.hpp"
#include "hakuriver/plan.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

enum class OutputStream : std::uint8_t { out = 0, err = 1 };

struct RunStart {
  std::uint64_t index = 0;    // the command's place in the plan, from 0
  std::uint32_t attempt = 1;  // from 1
  std::uint32_t slot = 1;     // which of the places it has, 1 to RunOptions::jobs
  std::int64_t process = 0;   // its process id where it runs on this machine, else 0
  const Command& command;
};

struct RunOutput {
  std::uint64_t index = 0;
  std::uint32_t attempt = 1;
  OutputStream stream = OutputStream::out;
  std::string_view bytes;
};

// What an attempt's end means for its command.
enum class EndVerdict : std::uint8_t {
  succeeded = 0,  // exited with 0, in time
  failed = 1,     // for good
  retry = 2,      // failed, and will be tried again unless the run ends before
  stopped = 3,    // was ended because the run was stopped; neither a success nor a failure
};

struct RunEnd {
  std::uint64_t index = 0;
  std::uint32_t attempt = 1;
  std::uint32_t slot = 1;
  EndVerdict verdict = EndVerdict::failed;
  bool timed_out = false;  // it was ended at its time limit
  Outcome outcome;
  Usage usage;  // of a small command max_rss_bytes is that of the process that started it, which it was for a moment
  UtcTime started_at;
  std::chrono::microseconds elapsed{0};
  std::string message;  // why it did not start; else empty. A command that did not start was not told as started
  const Command& command;
};

// How many commands, unless said otherwise. total = skipped + succeeded + failed + stopped + not_started.
struct RunSummary {
  std::uint64_t total = 0;    // that the selection holds
  std::uint64_t skipped = 0;  // left out, by what the journal says
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;  // timed_out among them
  std::uint64_t timed_out = 0;
  std::uint64_t stopped = 0;
  std::uint64_t not_started = 0;  // because the run ended before
  std::uint64_t attempts = 0;     // that were made in all
  std::uint64_t changed = 0;      // ran although the journal has their name: with another command
  bool halted = false;            // by its halt policy
  bool interrupted = false;       // by RunControl
  std::chrono::microseconds elapsed{0};
};

// Called on the thread that runs, in the order in which things happened; each may be empty. All of a command's output
// that was written before its process ended comes before its end; what processes that it left behind write later comes
// after it, as long as the run lasts. An end is told before it is written to the journal: a run that dies between the
// two is gone on with by running that command again, and what its end was told for, such as showing its output, is not
// lost.
struct RunEvents {
  std::function<void(const RunStart&)> started;
  std::function<void(const RunOutput&)> output;
  std::function<void(const RunEnd&)> ended;
  std::function<void(std::uint64_t)> skipped;    // the place in the plan of a command that the journal lets be left out
  std::function<void(std::string_view)> notice;  // one line that a user should see, such as: the journal was damaged
  std::function<void()> watched;
};

}  // namespace v1
}  // namespace hakuriver
