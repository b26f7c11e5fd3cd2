#include "cli/hakurun_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "platform/system_error.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::size_t kMostInMemory = 64 * 1024;

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

// A file without a name: nothing is left of it, whatever becomes of us.
Result<platform::Descriptor> open_spill_file() {
  const char* given = std::getenv("TMPDIR");
  const std::string directory = given != nullptr && *given != '\0' ? given : "/tmp";
  platform::Descriptor file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.is_open()) return file;
  std::string name = directory + "/hakurun.XXXXXX";  // for file systems without O_TMPFILE
  platform::Descriptor named(::mkostemp(name.data(), O_CLOEXEC));
  if (!named.is_open()) return platform::system_error("cannot make a file in '" + directory + "'", errno);
  ::unlink(name.c_str());
  return named;
}

}  // namespace

Status PatientWriter::write(int fd, std::string_view bytes) const {
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

GroupedOutput::GroupedOutput(PatientWriter writer, int stdout_fd, int stderr_fd)
    : writer_(std::move(writer)), targets_{stdout_fd, stderr_fd} {}

void GroupedOutput::begin(std::uint64_t index) { kept_.try_emplace(index); }

Status GroupedOutput::add(std::uint64_t index, engine::OutputStream stream, std::string_view bytes) {
  const auto place = static_cast<std::size_t>(stream);
  const auto found = kept_.find(index);
  if (found == kept_.end()) return writer_.write(targets_[place], bytes);
  Kept& kept = found->second[place];
  kept.memory += bytes;
  if (kept.memory.size() <= kMostInMemory) return Unit{};
  const auto spilled = spill(kept);
  if (spilled) return Unit{};
  const auto written = write_out(kept, targets_[place]);
  if (!written) return written.error();
  return Error{Errc::limit, "output cannot be kept together: " + spilled.error().message};
}

Status GroupedOutput::spill(Kept& kept) const {
  if (!kept.file.is_open()) {
    auto file = open_spill_file();
    if (!file) return file.error();
    kept.file = std::move(*file);
  }
  while (!kept.memory.empty()) {
    const auto count = ::write(kept.file.get(), kept.memory.data(), kept.memory.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return platform::system_error("no room for it in the temporary directory", errno);
    kept.memory.erase(0, static_cast<std::size_t>(count));
  }
  return Unit{};
}

Status GroupedOutput::write_out(Kept& kept, int fd) const {
  if (kept.file.is_open()) {
    std::string part(kMostInMemory, '\0');
    ::lseek(kept.file.get(), 0, SEEK_SET);
    for (auto count = ::read(kept.file.get(), part.data(), part.size()); count > 0;
         count = ::read(kept.file.get(), part.data(), part.size())) {
      const auto written = writer_.write(fd, std::string_view(part).substr(0, static_cast<std::size_t>(count)));
      if (!written) return written.error();
    }
    kept.file = platform::Descriptor();
  }
  const auto written = writer_.write(fd, kept.memory);
  kept.memory.clear();
  return written;
}

Status GroupedOutput::finish(std::uint64_t index) {
  const auto found = kept_.find(index);
  if (found == kept_.end()) return Unit{};
  // Taken out first: while writing waits, a signal may end the run.
  auto kept = std::move(found->second);
  kept_.erase(found);
  for (const std::size_t place : {std::size_t{0}, std::size_t{1}}) {
    const auto written = write_out(kept[place], targets_[place]);
    if (!written) return written.error();
  }
  return Unit{};
}

}  // namespace hakuriver::cli
