#include "engine/journal_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "platform/system_error.hpp"

namespace hakuriver::engine {
namespace {

constexpr std::size_t kReadSize = 256 * 1024;
constexpr std::size_t kLongestLine = 8 * 1024 * 1024;  // an argv has 2 MiB at most, each byte at most four here

// Text as it comes, told line by line.
class LineReader {
 public:
  explicit LineReader(JournalContent& content) : content_(content) {}

  void take(std::string_view text) {
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      finish_line(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    if (line_.size() <= kLongestLine) line_ += text;
    pending_ += text.size();
  }

  // Bytes behind the last line break.
  std::uint64_t pending() const noexcept { return pending_; }
  bool has_header() const noexcept { return has_header_; }
  bool has_lines() const noexcept { return lines_ > 0; }
  std::string_view rest() const noexcept { return line_; }

 private:
  void finish_line(std::string_view end) {
    std::string_view line = end;
    if (pending_ > 0) {
      line_ += end;
      line = line_;
    }
    if (lines_++ == 0) {
      has_header_ = is_header(line);
    } else if (const auto record = parse_record(line)) {
      ++content_.records;
      content_.index.add(record->name, record->command, record->succeeded);
    } else {
      ++content_.damaged;
    }
    line_.clear();
    pending_ = 0;
  }

  // Ours, or GNU parallel's, which is its beginning.
  static bool is_header(std::string_view line) {
    constexpr std::string_view kOfParallel =
        "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand";
    return line == kOfParallel || line == kJournalHeader.substr(0, kJournalHeader.size() - 1);
  }

  JournalContent& content_;
  std::string line_;
  std::uint64_t pending_ = 0;
  std::uint64_t lines_ = 0;
  bool has_header_ = false;
};

}  // namespace

Result<JournalFile> JournalFile::open(const std::string& path) {
  struct stat status {};
  const bool is_special = ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
  // O_NONBLOCK: to open a FIFO would wait for its reader.
  const int access = is_special ? O_WRONLY | O_NONBLOCK : O_RDWR | O_CREAT;
  platform::Descriptor file(::open(path.c_str(), access | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666));
  if (!file.is_open() && errno == ENXIO) {
    return Error{Errc::io, "cannot open the journal '" + path + "': nobody reads it"};
  }
  if (!file.is_open()) return platform::system_error("cannot open the journal '" + path + "'", errno);
  if (is_special) ::fcntl(file.get(), F_SETFL, O_APPEND);
  JournalFile journal(path, std::move(file));
  if (::fstat(journal.file_.get(), &status) != 0) return platform::system_error("journal '" + path + "'", errno);
  if (!S_ISREG(status.st_mode)) return journal;
  if (::flock(journal.file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Error{Errc::conflict, "the journal '" + path + "' is in use by another run"};
    return platform::system_error("cannot lock the journal '" + path + "'", errno);
  }
  journal.size_ = static_cast<std::int64_t>(status.st_size);
  return journal;
}

Result<JournalFile> JournalFile::create(const std::string& path) {
  auto journal = open(path);
  if (!journal) return journal;
  if (journal->size_.value_or(0) > 0) {
    return Error{Errc::conflict, "the journal '" + path + "' exists: resume it, retry what failed in it, or remove it"};
  }
  const auto begun = journal->begin();
  if (!begun) return begun.error();
  return journal;
}

Status JournalFile::begin() { return write(kJournalHeader); }

Result<JournalFile> JournalFile::resume(const std::string& path, JournalContent& content) {
  auto journal = open(path);
  if (!journal) return journal;
  if (!journal->size_) return Error{Errc::invalid_argument, "'" + path + "' is no file that a run can go on with"};
  auto done = journal->read_content(content);
  if (done && *journal->size_ == 0) done = journal->begin();
  if (!done) return done.error();
  content.index.finish();
  return journal;
}

Status JournalFile::read_content(JournalContent& content) {
  LineReader reader(content);
  std::string part(kReadSize, '\0');
  while (true) {
    const auto count = ::read(file_.get(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return platform::system_error("cannot read the journal '" + path_ + "'", errno);
    if (count == 0) break;
    reader.take(std::string_view(part).substr(0, static_cast<std::size_t>(count)));
  }
  // A crash may have left a part of the header, and zeros where more was to be.
  auto rest = reader.rest();
  while (!rest.empty() && rest.back() == '\0') rest.remove_suffix(1);
  const bool torn_header = !reader.has_lines() && kJournalHeader.substr(0, rest.size()) == rest;
  if (!reader.has_header() && !torn_header) {
    return Error{Errc::parse,
                 "'" + path_ + "' is no journal: expected a first line that begins with 'Seq', a tab, 'Host'"};
  }
  content.cut_off = reader.pending();
  if (content.cut_off == 0) return Unit{};
  *size_ -= static_cast<std::int64_t>(content.cut_off);
  if (::ftruncate(file_.get(), *size_) == 0) return Unit{};
  return platform::system_error("cannot cut the journal '" + path_ + "'", errno);
}

Status JournalFile::append(const JournalEntry& entry) {
  line_.clear();
  append_record(line_, entry);
  return write(line_);
}

Status JournalFile::write(std::string_view text) {
  ssize_t count = -1;
  do {
    count = ::write(file_.get(), text.data(), text.size());
  } while (count < 0 && errno == EINTR);
  if (count == static_cast<ssize_t>(text.size())) {
    if (size_) *size_ += count;
    return Unit{};
  }
  // What there was room for is taken back: half a record is none.
  const int reason = count < 0 ? errno : ENOSPC;
  if (size_ && count > 0) [[maybe_unused]]
    const int cut = ::ftruncate(file_.get(), *size_);
  return platform::system_error("cannot write the journal '" + path_ + "'", reason);
}

}  // namespace hakuriver::engine
