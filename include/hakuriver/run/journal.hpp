// The journal of a run as text: a header, then one line for each attempt that has ended.
//
// It is GNU parallel's --joblog (Seq to Command, its tools read it) with four columns more. A record counts only with
// its line break, so what a crash leaves of the last one is told from a record; texts are written so that they hold no
// tab and no line break.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "hakuriver/argv.hpp"
#include "hakuriver/run/quoted_text.hpp"
#include "hakuriver/run_events.hpp"

namespace hakuriver {
inline namespace v1 {

inline constexpr std::string_view kJournalHeader =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\tName\tAttempt\tMaxRSS\tCPU\n";

// What a record is written from.
struct JournalEntry {
  std::uint64_t number = 1;              // Seq: the command's number in the plan, from 1
  std::string_view host = ":";           // where it ran; ":" is this machine
  UtcTime started_at;                    // seconds since 1970, three decimals
  std::chrono::microseconds elapsed{0};  // seconds, three decimals
  std::uint64_t output_bytes = 0;        // Receive: what it has printed, where that was captured
  Outcome outcome;
  bool timed_out = false;
  std::string_view command;  // as journal_text() makes it
  std::string_view name;     // likewise
  std::uint32_t attempt = 1;
  Usage usage;  // MaxRSS: bytes; CPU: seconds, three decimals
};

// What is read from a record.
struct JournalRecord {
  std::uint64_t number = 1;
  bool succeeded = false;
  std::string_view command;
  std::string_view name;
};

namespace journal_detail {

inline void append_number(std::string& line, std::int64_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  line.append(digits.data(), end);
}

// "1.234", at least `width` long.
inline void append_seconds(std::string& line, std::int64_t microseconds, std::size_t width = 0) {
  const std::size_t begin = line.size();
  const std::int64_t milliseconds = microseconds / 1000;
  append_number(line, milliseconds / 1000);
  line += '.';
  const auto rest = static_cast<int>(milliseconds % 1000);
  for (const int unit : {100, 10, 1}) line += static_cast<char>('0' + rest / unit % 10);
  if (line.size() - begin < width) line.insert(begin, width - (line.size() - begin), ' ');
}

// GNU parallel's: the code with signal 0; 0 with the signal; -1 where there is neither or it was too slow.
inline void append_outcome(std::string& line, const Outcome& outcome, bool timed_out) {
  const bool exited = outcome.kind == OutcomeKind::exited;
  const bool signaled = outcome.kind == OutcomeKind::signaled || outcome.kind == OutcomeKind::oom_killed;
  append_number(line, timed_out || !(exited || signaled) ? -1 : exited ? outcome.value : 0);
  line += '\t';
  append_number(line, signaled ? outcome.value : 0);
}

}  // namespace journal_detail

// Appends one line, with its line break.
inline void append_record(std::string& line, const JournalEntry& entry) {
  using journal_detail::append_number;
  using journal_detail::append_seconds;
  append_number(line, static_cast<std::int64_t>(entry.number));
  line += '\t';
  line += entry.host;
  line += '\t';
  append_seconds(line, entry.started_at.microseconds);
  line += '\t';
  append_seconds(line, entry.elapsed.count(), 10);
  line += "\t0\t";
  append_number(line, static_cast<std::int64_t>(entry.output_bytes));
  line += '\t';
  journal_detail::append_outcome(line, entry.outcome, entry.timed_out);
  line += '\t';
  line += entry.command;
  line += '\t';
  line += entry.name;
  line += '\t';
  append_number(line, entry.attempt);
  line += '\t';
  append_number(line, static_cast<std::int64_t>(entry.usage.max_rss_bytes));
  line += '\t';
  append_seconds(line, static_cast<std::int64_t>(entry.usage.cpu_microseconds));
  line += '\n';
}

// A line without its line break; the result's texts lie in it. GNU parallel's own records are read, too: they have no
// name. None: this is no record.
inline std::optional<JournalRecord> parse_record(std::string_view line) {
  constexpr std::size_t kOfParallel = 9;
  constexpr std::size_t kOurs = 13;
  std::array<std::string_view, kOurs> fields;
  std::size_t count = 0;
  for (std::string_view rest = line;; ++count) {
    if (count == kOurs) return std::nullopt;
    const auto tab = rest.find('\t');
    fields[count] = rest.substr(0, tab);
    if (tab == std::string_view::npos) break;
    rest.remove_prefix(tab + 1);
  }
  if (++count != kOfParallel && count != kOurs) return std::nullopt;
  JournalRecord record;
  std::int64_t exit_value = 0;
  std::int64_t signal = 0;
  const auto read = [](std::string_view text, auto& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
  };
  if (!read(fields[0], record.number) || !read(fields[6], exit_value) || !read(fields[7], signal)) return std::nullopt;
  if (line.find('\0') != std::string_view::npos) return std::nullopt;
  record.succeeded = exit_value == 0 && signal == 0;
  record.command = fields[8];
  record.name = fields[9];
  return record;
}

}  // namespace v1
}  // namespace hakuriver
