// What a launcher's program is asked to do, and what it answers when it has finished.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hakuriver/outcome.hpp"

namespace hakuriver::keeper {

enum class Verb : std::uint8_t { pause = 0, resume, terminate, kill, finish };

constexpr const char* word_of(Verb verb) {
  constexpr const char* kWords[] = {"pause", "resume", "terminate", "kill", "finish"};
  return kWords[static_cast<std::size_t>(verb)];
}

// The lines that `finish` printed; what they do not say is not there.
struct FinishReport {
  std::optional<Outcome> outcome{};
  std::string message{};
  std::optional<std::uint64_t> cpu_microseconds{};
  std::optional<std::uint64_t> peak_bytes{};
};

// Lines that mean nothing are passed over.
FinishReport parse_finish(std::string_view text);

// How far an attempt's launcher is.
struct Controlled {
  std::optional<Verb> wanted{};  // to be asked for next
  std::optional<Verb> asked{};   // what it is doing now
  std::uint32_t failures = 0;    // of the same verb in a row
  bool finishing = false;        // the main process has ended, and nothing of it is left
  bool finished = false;
  FinishReport report{};
};

}  // namespace hakuriver::keeper
