#include "cli/hakurun_output.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "platform/system_error.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::size_t kOut = 0;
constexpr std::size_t kErr = 1;

bool is_regular(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EPIPE) return Error{Errc::unavailable, "nobody reads the output"};
    if (count < 0) return platform::system_error("cannot write the output", errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return Unit{};
}

// A name in front of lines must not break them.
std::string make_tag(std::string_view name) {
  std::string tag(name);
  for (char& c : tag) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return tag + '\t';
}

// The tag in front of each line that begins in `bytes`.
std::string with_tags(const std::string& tag, std::string_view bytes, bool is_mid_line) {
  std::string text;
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    const std::string_view line = bytes.substr(0, newline == std::string_view::npos ? newline : newline + 1);
    if (!is_mid_line) text += tag;
    text += line;
    is_mid_line = false;
    bytes.remove_prefix(line.size());
  }
  return text;
}

}  // namespace

Status PatientWriter::write(int fd, std::string_view bytes) const {
  if (about_to_write) about_to_write();
  if (watched_fd < 0 || is_regular(fd)) return write_all(fd, bytes);
  // A pipe that poll calls writable has room for this much (pipe(7), PIPE_BUF).
  constexpr std::size_t kWritable = 4096;
  while (!bytes.empty() && !(abandoned && abandoned())) {
    pollfd ready[2] = {{fd, POLLOUT, 0}, {watched_fd, POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0 && errno != EINTR) return platform::system_error("cannot wait to write", errno);
    if (ready[1].revents != 0) watched();
    if (ready[0].revents == 0) continue;
    const auto part = bytes.substr(0, kWritable);
    const auto written = write_all(fd, part);
    if (!written) return written.error();
    bytes.remove_prefix(part.size());
  }
  return Unit{};
}

CommandOutput::CommandOutput(PatientWriter writer, int stdout_fd, int stderr_fd, OutputStyle style)
    : writer_(std::move(writer)), targets_{stdout_fd, stderr_fd}, style_(style) {}

void CommandOutput::begin(std::uint64_t index, std::string_view name) {
  const auto [entry, is_new] = entries_.try_emplace(index);
  if (!is_new) return;
  if (style_.tag) entry->second.tag = make_tag(name);
  if (style_.keep_order) order_.push_back(index);
}

bool CommandOutput::is_live(std::uint64_t index) const {
  return style_.by_lines && (!style_.keep_order || order_.front() == index);
}

Status CommandOutput::add(std::uint64_t index, OutputStream stream, std::string_view bytes) {
  const auto place = static_cast<std::size_t>(stream);
  const auto found = entries_.find(index);
  if (found == entries_.end()) return writer_.write(targets_[place], bytes);
  Entry& entry = found->second;
  if (is_live(index)) return add_live(entry, place, bytes);
  const auto kept = spool_.append(entry.streams[place].kept, bytes);
  if (kept) return Unit{};
  const auto written = write_kept(entry, place);
  return written ? kept : written;
}

Status CommandOutput::add_live(Entry& entry, std::size_t place, std::string_view bytes) {
  // In order nobody else writes, so that lines cannot be cut by others.
  const auto newline = style_.keep_order ? bytes.size() - 1 : bytes.rfind('\n');
  if (newline != std::string_view::npos) {
    Status written = write_kept(entry, place);
    if (written) written = write(entry, place, bytes.substr(0, newline + 1));
    if (!written) return written;
    bytes.remove_prefix(newline + 1);
  }
  const auto kept = spool_.append(entry.streams[place].kept, bytes);
  if (kept) return Unit{};
  const auto written = write_kept(entry, place);
  return written ? kept : written;
}

Status CommandOutput::write_kept(Entry& entry, std::size_t place) {
  return spool_.take_out(entry.streams[place].kept, [&](std::string_view bytes) { return write(entry, place, bytes); });
}

Status CommandOutput::write(Entry& entry, std::size_t place, std::string_view bytes) {
  if (bytes.empty()) return Unit{};
  bool& is_mid_line = entry.streams[place].is_mid_line;
  const bool was_mid_line = std::exchange(is_mid_line, bytes.back() != '\n');
  if (!style_.tag) return writer_.write(targets_[place], bytes);
  return writer_.write(targets_[place], with_tags(entry.tag, bytes, was_mid_line));
}

Status CommandOutput::write_whole(Entry& entry) {
  for (const std::size_t place : {kOut, kErr}) {
    Status written = write_kept(entry, place);
    const bool lacks_end = entry.streams[place].is_mid_line && (style_.tag || (style_.by_lines && !style_.keep_order));
    if (written && lacks_end) written = writer_.write(targets_[place], "\n");
    entry.streams[place].is_mid_line = false;
    if (!written) return written;
  }
  return Unit{};
}

Status CommandOutput::finish(std::uint64_t index, bool is_tried_again) {
  const auto found = entries_.find(index);
  if (found == entries_.end()) return Unit{};
  if (style_.keep_order) {
    if (is_tried_again) return Unit{};
    found->second.has_ended = true;
    return write_those_whose_turn_it_is();
  }
  // Taken out first: while writing waits, a signal may end the run.
  Entry entry = std::move(found->second);
  entries_.erase(found);
  return write_whole(entry);
}

Status CommandOutput::write_those_whose_turn_it_is() {
  Status status = Unit{};
  while (status && !order_.empty()) {
    const auto found = entries_.find(order_.front());
    if (!found->second.has_ended) {
      // It is the first now: from here on its lines go out as they come.
      for (const std::size_t place : {kOut, kErr}) {
        if (status && style_.by_lines) status = write_kept(found->second, place);
      }
      break;
    }
    Entry entry = std::move(found->second);
    entries_.erase(found);
    order_.pop_front();
    status = write_whole(entry);
  }
  return status;
}

Status CommandOutput::finish_all() {
  for (auto& [index, entry] : entries_) entry.has_ended = true;
  if (style_.keep_order) return write_those_whose_turn_it_is();
  Status status = Unit{};
  while (status && !entries_.empty()) status = finish(entries_.begin()->first);
  return status;
}

}  // namespace hakuriver::cli
