#include "cli/submission_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "engine/child_process.hpp"
#include "engine/write_all.hpp"
#include "platform/system_error.hpp"

namespace hakuriver::cli {
namespace {

std::string_view take_word(std::string_view& line) {
  const auto blank = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, blank);
  line.remove_prefix(std::min(line.size(), blank + 1));
  return word;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<PlaceRange> range_of(std::string_view first, std::string_view count) {
  const auto from = number_of(first);
  const auto many = number_of(count);
  if (!from || !many || *many == 0 || *many > ~std::uint64_t{0} - *from) return std::nullopt;
  return PlaceRange{*from, *many};
}

void read_submission(std::string_view line, std::string_view id, std::vector<LoggedSubmission>& all) {
  LoggedSubmission submission{std::string(id)};
  const auto digest = number_of(take_word(line));
  if (!digest) return;
  submission.digest = *digest;
  while (!line.empty()) {
    const std::string_view word = take_word(line);
    const auto plus = word.find('+');
    if (plus == std::string_view::npos) return;
    const auto range = range_of(word.substr(0, plus), word.substr(plus + 1));
    if (!range) return;
    submission.places.push_back(*range);
  }
  if (!submission.places.empty()) all.push_back(std::move(submission));
}

void read_line(std::string_view line, std::vector<LoggedSubmission>& all) {
  const std::string_view what = take_word(line);
  const std::string_view id = take_word(line);
  if (what == "submit") return read_submission(line, id, all);
  const auto known = std::find_if(all.begin(), all.end(), [id](const LoggedSubmission& it) { return it.id == id; });
  if (known == all.end()) return;
  if (what == "done") known->is_done = true;
  if (what == "taken") known->batch = take_word(line);
  if (what != "end") return;
  const std::string_view first = take_word(line);
  if (const auto range = range_of(first, take_word(line))) known->ended.push_back(*range);
}

}  // namespace

std::vector<LoggedSubmission> parse_submission_log(std::string_view text) {
  std::vector<LoggedSubmission> all;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    read_line(text.substr(0, end), all);
    text.remove_prefix(end + 1);
  }
  return all;
}

// FNV-1a.
std::uint64_t digest_of(std::string_view text) noexcept {
  std::uint64_t digest = 14695981039346656037U;
  for (const char c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return digest;
}

Result<SubmissionLog> SubmissionLog::open(const std::string& joblog, bool resumes) {
  SubmissionLog log;
  struct stat status {};
  if (joblog.empty() || ::stat(joblog.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return log;
  log.path_ = joblog + ".cluster";
  const int how = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (resumes ? 0 : O_TRUNC);
  log.file_ = engine::above_stdio(platform::Descriptor(::open(log.path_.c_str(), how, 0666)));
  if (!log.file_.is_open()) return platform::system_error("cannot write '" + log.path_ + "'", errno);
  std::ifstream file(log.path_, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // What a crash has cut off stays a line of its own.
  if (!text.empty() && text.back() != '\n') {
    if (const auto ended = log.write("\n"); !ended) return ended.error();
  }
  for (auto& submission : parse_submission_log(text)) {
    if (!submission.is_done) log.earlier_.push_back(std::move(submission));
  }
  log.open_ = log.earlier_.size();
  return log;
}

std::vector<LoggedSubmission> SubmissionLog::take_earlier() { return std::exchange(earlier_, {}); }

Status SubmissionLog::submitted(const std::string& id, std::uint64_t digest, const std::vector<PlaceRange>& places) {
  ++open_;
  std::string line = "submit " + id + ' ' + std::to_string(digest);
  for (const auto& range : places) line += ' ' + std::to_string(range.first) + '+' + std::to_string(range.count);
  return write(line + '\n');
}

Status SubmissionLog::taken(const std::string& id, const std::string& batch) {
  return write("taken " + id + ' ' + batch + '\n');
}

Status SubmissionLog::ended(const std::string& id, std::uint64_t first, std::uint64_t count) {
  return write("end " + id + ' ' + std::to_string(first) + ' ' + std::to_string(count) + '\n');
}

Status SubmissionLog::done(const std::string& id) {
  if (--open_ == 0 && !path_.empty()) ::unlink(path_.c_str());
  return write("done " + id + '\n');
}

Status SubmissionLog::write(const std::string& line) {
  if (!file_.is_open()) return Unit{};
  const int error = engine::write_all(file_.get(), line);
  if (error != 0) return platform::system_error("cannot write '" + path_ + "'", error);
  return Unit{};
}

}  // namespace hakuriver::cli
