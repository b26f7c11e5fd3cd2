#include "keeper/journal.hpp"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "keeper/clocks.hpp"
#include "keeper/crash_point.hpp"
#include "keeper/proc.hpp"

namespace hakuriver::keeper {
namespace {

constexpr const char* kName = "journal";
constexpr const char* kNewName = "journal.new";
constexpr std::size_t kAhead = std::size_t{256} << 10;     // space is taken in steps of this size
constexpr std::size_t kMinimum = std::size_t{64} << 10;    // what a journal has at least
constexpr std::size_t kMaxJournal = std::size_t{1} << 30;  // what is read at most

Result<std::string> read_whole(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return io_error(kName, errno);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > kMaxJournal) {
    return Error{Errc::limit,
                 "'journal' has " + std::to_string(size) + " bytes: expected at most " + std::to_string(kMaxJournal)};
  }
  std::string bytes(size, '\0');
  for (std::size_t done = 0; done < size;) {
    const auto count = ::pread(file, bytes.data() + done, size - done, static_cast<off_t>(done));
    if (count < 0 && errno != EINTR) return io_error(kName, errno);
    if (count == 0) break;
    if (count > 0) done += static_cast<std::size_t>(count);
  }
  return bytes;
}

// The first free name of its kind.
std::string set_aside(int directory) {
  for (int number = 1;; ++number) {
    std::string name = "journal.damaged-" + std::to_string(number);
    struct stat status {};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) continue;
    ::renameat(directory, kName, directory, name.c_str());
    return name;
  }
}

// Grows `file` to `size` so that writing up to there cannot run out of space.
int extend(int file, std::size_t from, std::size_t size) {
  if (::fallocate(file, 0, 0, static_cast<off_t>(size)) == 0) return 0;
  if (errno != EOPNOTSUPP) return errno;
  const std::array<char, 4096> zeros{};
  for (std::size_t at = from; at < size;) {
    const auto count = ::pwrite(file, zeros.data(), std::min(zeros.size(), size - at), static_cast<off_t>(at));
    if (count < 0 && errno != EINTR) return errno;
    if (count > 0) at += static_cast<std::size_t>(count);
  }
  return 0;
}

}  // namespace

std::string make_journal_id() {
  std::array<unsigned char, 16> bytes{};
  // 16 bytes are never given in part, and the pool is ready long before anybody starts a keeper.
  if (::getrandom(bytes.data(), bytes.size(), 0) < 0) return std::string(32, '0');
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  for (const auto byte : bytes) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15u];
  }
  return id;
}

std::string read_boot_id() {
  std::string id = read_text("/proc/sys/kernel/random/boot_id", 64).value_or("");
  std::erase_if(id, [](char c) { return c == '-' || c == '\n'; });
  return id;
}

Result<Journal::Opened> Journal::open(int directory, const std::string& boot_id) {
  Opened opened{Journal(directory), {}, {}};
  Journal& journal = opened.journal;
  journal.file_ = Descriptor(::openat(directory, kName, O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!journal.file_ && errno != ENOENT) return io_error(kName, errno);
  if (!journal.file_) {
    opened.content.session = Session{make_journal_id(), boot_id};
    const auto written = journal.rewrite(opened.content, 0);
    if (!written) return written.error();
    return opened;
  }
  auto bytes = read_whole(journal.file_.get());
  if (!bytes) return bytes.error();
  auto reading = read_journal(*bytes);
  opened.content = std::move(reading.content);
  bool rewrite = opened.content.session.boot_id != boot_id;
  if (reading.verdict == JournalVerdict::torn) {
    opened.notes.push_back("journal: cut off " + std::to_string(bytes->size() - reading.end) +
                           " bytes of an unfinished record at " + std::to_string(reading.end));
    if (::ftruncate(journal.file_.get(), static_cast<off_t>(reading.end)) != 0) return io_error(kName, errno);
    bytes->resize(reading.end);
  } else if (reading.verdict == JournalVerdict::damaged) {
    opened.notes.push_back("journal: damaged at byte " + std::to_string(reading.end) + ", kept as '" +
                           set_aside(directory) + "'; a new journal goes on from the " +
                           std::to_string(reading.records) + " records before it");
    const std::string boot = opened.content.session.boot_id.empty() ? boot_id : opened.content.session.boot_id;
    opened.content = in_new_session(std::move(opened.content), Session{make_journal_id(), boot});
    rewrite = true;
  }
  if (opened.content.session.boot_id != boot_id) opened.content = after_reboot(std::move(opened.content), boot_id);
  journal.end_ = reading.end;
  journal.allocated_ = bytes->size();
  if (rewrite) {
    const auto written = journal.rewrite(opened.content, 0);
    if (!written) return written.error();
  }
  return opened;
}

Error Journal::fail(int error) {
  errno_ = error;
  return io_error(kName, error);
}

Status Journal::reserve(std::size_t bytes) {
  const auto needed = end_ + pending_.size() + bytes;
  if (needed <= allocated_) return Unit{};
  auto size = (needed / kAhead + 1) * kAhead;
  int error = extend(file_.get(), allocated_, size);
  if (error != 0) error = extend(file_.get(), allocated_, size = needed);
  if (error != 0) return fail(error);
  allocated_ = size;
  return Unit{};
}

Status Journal::write_all(int file, std::string_view bytes, std::size_t offset) {
  while (!bytes.empty()) {
    const auto count = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno != EINTR) return fail(errno);
    if (count <= 0) continue;
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::size_t>(count);
  }
  return Unit{};
}

Status Journal::flush() {
  if (pending_.empty()) return Unit{};
  const auto written = write_all(file_.get(), pending_, end_);
  if (!written) return written;
  end_ += pending_.size();
  allocated_ = std::max(allocated_, end_);
  pending_.clear();
  return Unit{};
}

void Journal::drop_pending() {
  // A part may have been written: whole records of it would be read back. The space is ours already.
  const std::string zeros(std::min(pending_.size(), allocated_ > end_ ? allocated_ - end_ : 0), '\0');
  const auto cleared = write_all(file_.get(), zeros, end_);
  if (!cleared) allocated_ = end_;
  pending_.clear();
}

Status Journal::rewrite(const JournalContent& content, std::size_t ahead) {
  const std::string bytes = encode_journal(content);
  Descriptor file(::openat(directory_, kNewName, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail(errno);
  const auto size = std::max(kMinimum, bytes.size() + ahead + kMinimum / 2);
  const int error = extend(file.get(), 0, size);
  Status written = error == 0 ? write_all(file.get(), bytes, 0) : Status(fail(error));
  if (written && ::fdatasync(file.get()) != 0) written = fail(errno);
  crash_point("rewrite");
  if (written && ::renameat(directory_, kNewName, directory_, kName) != 0) written = fail(errno);
  if (!written) {
    ::unlinkat(directory_, kNewName, 0);
    return written;
  }
  file_ = std::move(file);
  end_ = bytes.size();
  allocated_ = size;
  return Unit{};
}

}  // namespace hakuriver::keeper
