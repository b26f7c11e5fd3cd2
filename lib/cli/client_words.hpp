// Tasks, sizes and times in words.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cli/table.hpp"
#include "hakuriver/time.hpp"
#include "hakuriver/views.hpp"

namespace hakuriver::cli {

// The status that a shell would show for a final task; never 0 for one that did not complete.
int exit_of_task(const TaskView& task) noexcept;

// "running", "failed: exit code 3"; what the host says of it goes before what we could say.
std::string words_of(const TaskView& task);
// "exit code 3", "signal 9 (Killed)"; empty: it did not get so far.
std::string words_of_outcome(const TaskView& task);

Tone tone_of(TaskStatus status) noexcept;

// "512", "1.5G": at most five columns below 1024 PiB.
std::string short_bytes(std::uint64_t bytes);
std::string short_cores(std::uint64_t millicores);
// "0.2s", "3m20s", "4h10m", "12d3h".
std::string short_duration(std::chrono::microseconds duration);
// "2025-04-18 12:00:00 UTC"; "-" where there is none.
std::string words_of(UtcTime time);

// From start to end, or to now; none where it has not started: from submission on.
std::chrono::microseconds age_of(const TaskView& task, UtcTime now) noexcept;

UtcTime utc_now() noexcept;

}  // namespace hakuriver::cli
