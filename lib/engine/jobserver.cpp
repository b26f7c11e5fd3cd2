#include "engine/jobserver.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "platform/system_error.hpp"

namespace hakuriver::engine {
namespace {

using platform::Descriptor;

constexpr std::string_view kFifo = "fifo:";

// The value of the last word that names a jobserver: make puts its own behind those that it was given.
std::optional<std::string_view> find_server(std::string_view makeflags) {
  std::optional<std::string_view> found;
  while (!makeflags.empty()) {
    const auto blank = makeflags.find(' ');
    const std::string_view word = makeflags.substr(0, blank);
    if (word == "--") break;  // variables follow
    for (const std::string_view name : {"--jobserver-auth=", "--jobserver-fds="}) {
      if (word.substr(0, name.size()) == name) found = word.substr(name.size());
    }
    if (blank == std::string_view::npos) break;
    makeflags.remove_prefix(blank + 1);
  }
  return found;
}

struct PipeNumbers {
  int read_end;
  int write_end;
};

std::optional<PipeNumbers> parse_pipe(std::string_view text) {
  PipeNumbers numbers{-1, -1};
  const auto comma = text.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  const auto parse = [](std::string_view part, int& number) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    return error == std::errc{} && end == part.data() + part.size();
  };
  if (!parse(text.substr(0, comma), numbers.read_end) || !parse(text.substr(comma + 1), numbers.write_end)) {
    return std::nullopt;
  }
  return numbers;
}

bool is_pipe(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
}

// The same pipe, opened once more: only so does O_NONBLOCK apply to us alone.
Descriptor open_again(int descriptor, int how) {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  return Descriptor(::open(path.c_str(), how | O_CLOEXEC));
}

Error not_there(std::string_view name) {
  return {Errc::unavailable,
          "make's jobserver '" + std::string(name) +
              "' is not open here and does not count: put a '+' in front of the line of the makefile"};
}

}  // namespace

Jobserver::Jobserver(Descriptor read_end, Descriptor write_end) noexcept
    : read_end_(std::move(read_end)), write_end_(std::move(write_end)) {}

Jobserver::Jobserver(Jobserver&& other) noexcept
    : read_end_(std::move(other.read_end_)),
      write_end_(std::move(other.write_end_)),
      offered_read_end_(std::move(other.offered_read_end_)),
      offered_jobs_(other.offered_jobs_),
      running_(std::exchange(other.running_, 0)),
      tokens_(std::exchange(other.tokens_, {})) {}

Jobserver::~Jobserver() {
  while (running_ > 0) give_back();
}

Result<std::optional<Jobserver>> Jobserver::join(std::string_view makeflags) {
  const auto name = find_server(makeflags);
  if (!name) return std::optional<Jobserver>();
  Descriptor read_end;
  Descriptor write_end;
  if (name->substr(0, kFifo.size()) == kFifo) {
    const std::string path(name->substr(kFifo.size()));
    read_end = Descriptor(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    write_end = Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  } else if (const auto numbers = parse_pipe(*name)) {
    if (numbers->read_end < 0) return std::optional<Jobserver>();  // make says: there is one, but not for you
    if (is_pipe(numbers->read_end)) read_end = open_again(numbers->read_end, O_RDONLY | O_NONBLOCK);
    if (is_pipe(numbers->write_end)) write_end = open_again(numbers->write_end, O_WRONLY);
  }
  if (!read_end.is_open() || !write_end.is_open() || !is_pipe(read_end.get())) return not_there(*name);
  return std::optional<Jobserver>(Jobserver(std::move(read_end), std::move(write_end)));
}

Result<Jobserver> Jobserver::offer(std::uint32_t jobs) {
  int ends[2] = {-1, -1};
  if (::pipe(ends) != 0) return platform::system_error("cannot make a jobserver's pipe", errno);
  Descriptor offered(ends[0]);
  Jobserver server(open_again(ends[0], O_RDONLY | O_NONBLOCK), Descriptor(ends[1]));
  if (!server.read_end_.is_open()) return platform::system_error("cannot open a jobserver's pipe again", errno);
  server.offered_read_end_ = std::move(offered);
  server.offered_jobs_ = jobs;
  const std::string tokens(jobs - 1, '+');
  // Must not wait: nobody reads yet, and a pipe holds 64 KiB, or a page where the user has many.
  ::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(tokens.size()));
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const auto written = tokens.empty() ? 0 : ::write(ends[1], tokens.data(), tokens.size());
  ::fcntl(ends[1], F_SETFL, 0);
  if (written == static_cast<ssize_t>(tokens.size())) return server;
  return Error{Errc::limit, "a jobserver for " + std::to_string(jobs) + " jobs is more than a pipe holds"};
}

bool Jobserver::take() {
  if (running_ > 0) {
    char token = 0;
    ssize_t count = 0;
    do {
      count = ::read(read_end_.get(), &token, 1);
    } while (count < 0 && errno == EINTR);
    if (count != 1) return false;
    tokens_ += token;
  }
  ++running_;
  return true;
}

void Jobserver::give_back() {
  if (running_ == 0) return;
  --running_;
  if (tokens_.empty()) return;
  const char token = tokens_.back();
  tokens_.pop_back();
  while (::write(write_end_.get(), &token, 1) < 0 && errno == EINTR) {
  }
}

std::string Jobserver::makeflags(std::string_view inherited) const {
  std::string flags(inherited);
  if (offered_jobs_ == 0) return flags;
  const std::string ours = " -j" + std::to_string(offered_jobs_) +
                           " --jobserver-auth=" + std::to_string(offered_read_end_.get()) + "," +
                           std::to_string(write_end_.get());
  const auto variables = flags.find(" -- ");
  flags.insert(std::min(variables, flags.size()), ours);
  return flags;
}

}  // namespace hakuriver::engine
