#include "cli/hakurun_progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace hakuriver::cli {
namespace {

constexpr std::chrono::milliseconds kBetweenDraws{100};
constexpr std::chrono::milliseconds kBeforeFirst{500};  // a short run needs no status line
constexpr std::chrono::seconds kBetweenLines{10};

// Nobody is told where it fails: it is only about what is being told.
void put(int fd, std::string_view text) { [[maybe_unused]] const auto written = ::write(fd, text.data(), text.size()); }

std::size_t columns_of(int terminal) {
  winsize size{};
  if (::ioctl(terminal, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

// "45s", "3m20s", "2h05m", "4d03h".
std::string time_text(double seconds) {
  constexpr double kMost = 1e9;
  const auto whole = static_cast<std::uint64_t>(std::ceil(std::min(seconds, kMost)));
  const auto pair = [](std::uint64_t large, const char* unit, std::uint64_t small, const char* small_unit) {
    return std::to_string(large) + unit + (small < 10 ? "0" : "") + std::to_string(small) + small_unit;
  };
  if (whole < 60) return std::to_string(whole) + "s";
  if (whole < 3600) return pair(whole / 60, "m", whole % 60, "s");
  if (whole < 86400) return pair(whole / 3600, "h", whole / 60 % 60, "m");
  return pair(whole / 86400, "d", whole / 3600 % 24, "h");
}

// "0.25/s", "3.2/s", "120/s".
std::string rate_text(double rate) {
  const int decimals = rate < 1 ? 2 : rate < 10 ? 1 : 0;
  const double scale = decimals == 2 ? 100 : decimals == 1 ? 10 : 1;
  const auto scaled = static_cast<std::uint64_t>(std::llround(rate * scale));
  std::string text = std::to_string(scaled);
  if (decimals > 0) {
    const auto width = static_cast<std::size_t>(decimals) + 1;
    if (text.size() < width) text.insert(0, width - text.size(), '0');
    text.insert(text.size() - static_cast<std::size_t>(decimals), ".");
  }
  return text + "/s";
}

}  // namespace

std::string progress_text(const ProgressCounts& counts, std::chrono::milliseconds elapsed, std::size_t columns) {
  std::string text = std::to_string(counts.done) + "/" + std::to_string(counts.total) + " done, " +
                     std::to_string(counts.failed) + " failed, " + std::to_string(counts.running) +
                     (counts.on_cluster ? " on the cluster" : " running");
  if (counts.skipped > 0) text += ", " + std::to_string(counts.skipped) + " skipped";
  const double seconds = std::chrono::duration<double>(elapsed).count();
  if (counts.done > 0 && seconds > 0) {
    const double rate = static_cast<double>(counts.done) / seconds;
    text += ", " + rate_text(rate);
    const auto left = static_cast<double>(counts.total - counts.done);
    if (left > 0) text += ", " + time_text(left / rate) + " left";
  }
  if (text.size() > columns) text.resize(columns);
  return text;
}

void Progress::update(const ProgressCounts& counts, Clock::time_point now) {
  if (kind_ == Kind::none) return;
  if (kind_ == Kind::lines) {
    if (now - shown_at_ >= kBetweenLines) print_line(counts, now);
    return;
  }
  const bool is_early = now - begun_at_ < kBeforeFirst;
  if (!is_early && (now - shown_at_ >= kBetweenDraws)) draw(counts, now);
}

void Progress::draw(const ProgressCounts& counts, Clock::time_point now) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - begun_at_);
  // One column is left free: a full line would wrap on some terminals.
  const std::string text = progress_text(counts, elapsed, columns_of(fd_) - 1);
  put(fd_, "\r" + text + "\x1b[K");  // ECMA-48, EL: erase to the end of the line
  shown_at_ = now;
  is_drawn_ = true;
}

void Progress::print_line(const ProgressCounts& counts, Clock::time_point now) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - begun_at_);
  put(fd_, "hakurun: " + progress_text(counts, elapsed, 200) + "\n");
  shown_at_ = now;
}

void Progress::erase() {
  if (!is_drawn_) return;
  put(fd_, "\r\x1b[K");
  is_drawn_ = false;
}

void Progress::finish(const ProgressCounts& counts, Clock::time_point now) {
  erase();
  if (kind_ == Kind::lines) print_line(counts, now);
}

}  // namespace hakuriver::cli
