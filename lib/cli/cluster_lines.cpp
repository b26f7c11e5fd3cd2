#include "cli/cluster_lines.hpp"

#include <signal.h>

#include <algorithm>
#include <charconv>

namespace hakuriver::cli {
namespace {

// Words one by one; what is wrong shows in failed().
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  std::string_view word() {
    const auto blank = std::min(rest_.find(' '), rest_.size());
    const std::string_view word = rest_.substr(0, blank);
    rest_.remove_prefix(std::min(rest_.size(), blank + 1));
    failed_ = failed_ || word.empty();
    return word;
  }

  template <class Number>
  Number number() {
    const std::string_view text = word();
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    failed_ = failed_ || error != std::errc{} || end != text.data() + text.size();
    return number;
  }

  std::string_view rest() const noexcept { return rest_; }
  void fail() noexcept { failed_ = true; }
  bool failed() const noexcept { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

// Why it did not start, where that is what the node tells: 126 and 127 are what its starting a command ends with, too.
std::string reason_of(const Outcome& outcome, std::string_view message) {
  if (outcome.kind == OutcomeKind::never_started) return std::string(message);
  const bool may_tell = outcome.kind == OutcomeKind::exited && (outcome.value == 126 || outcome.value == 127);
  if (!may_tell || message.empty() || message.starts_with("exited with ")) return {};
  return "exit " + std::to_string(outcome.value) + ", " + std::string(message);
}

EndLine read_end(Words& words, std::uint64_t tasks) {
  EndLine line;
  line.first = words.number<std::uint64_t>();
  line.count = words.number<std::uint64_t>();
  if (line.first >= tasks || line.count > tasks - line.first) words.fail();
  words.number<std::uint32_t>();  // the host's own attempts are not the run's
  const auto status = words.word();
  const auto kind = words.number<unsigned>();
  if (kind > static_cast<unsigned>(kLastOutcomeKind)) words.fail();
  line.end.outcome = {static_cast<OutcomeKind>(kind), words.number<std::int32_t>()};
  line.end.started_at.microseconds = words.number<std::int64_t>();
  const auto ended = words.number<std::int64_t>();
  if (line.end.started_at.microseconds > 0) {
    line.end.elapsed = std::chrono::microseconds(ended - line.end.started_at.microseconds);
  }
  line.end.usage.cpu_microseconds = words.number<std::uint64_t>();
  line.end.usage.max_rss_bytes = words.number<std::uint64_t>();
  words.number<std::uint64_t>();
  words.number<std::uint64_t>();
  line.end.message = reason_of(line.end.outcome, words.rest());
  // One that was killed before it started counts as one that was killed.
  // As a backend that ends its processes by itself tells it.
  line.end.timed_out = line.end.outcome.kind == OutcomeKind::timed_out;
  if (line.end.timed_out) line.end.outcome = {OutcomeKind::signaled, SIGTERM};
  const bool is_exit = line.end.outcome.kind == OutcomeKind::exited;
  if (status != "killed" || is_exit) return line;
  line.end.is_withdrawn = line.end.outcome.kind == OutcomeKind::never_started;
  line.end.outcome = {OutcomeKind::signaled, SIGTERM};
  return line;
}

ClusterLine read_line(Words& words, std::uint64_t tasks) {
  const auto what = words.word();
  if (what == "batch") return BatchLine{std::string(words.word())};
  if (what == "end") return read_end(words, tasks);
  OutputLine line;
  line.task = words.number<std::uint64_t>();
  const auto stream = words.word();
  line.stream = stream == "stderr" ? OutputStream::err : OutputStream::out;
  line.bytes = words.number<std::uint64_t>();
  if (what != "output" || line.task >= tasks || (stream != "stdout" && stream != "stderr")) words.fail();
  return line;
}

}  // namespace

Result<ClusterLine> parse_cluster_line(std::string_view line, std::uint64_t tasks) {
  Words words(line);
  auto parsed = read_line(words, tasks);
  if (!words.failed()) return parsed;
  return Error{Errc::parse, "hakuriver.client wrote '" + std::string(line.substr(0, 100)) +
                                "', which is no line of a batch: are both programs of one release?"};
}

}  // namespace hakuriver::cli
