#include "cli/output_spool.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "platform/system_error.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::size_t kMostOfStream = 64 * 1024;
constexpr std::uint64_t kMostOfAll = 16 * 1024 * 1024;
constexpr std::size_t kWorthSpilling = 256;

Result<platform::Descriptor> open_unnamed_file() {
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

Status OutputSpool::append(Kept& kept, std::string_view bytes) {
  kept.memory += bytes;
  memory_ += bytes.size();
  const bool all_are_much = memory_ > kMostOfAll && kept.memory.size() >= kWorthSpilling;
  if (kept.memory.size() <= kMostOfStream && !all_are_much) return Unit{};
  const auto spilled = spill(kept);
  if (spilled) return Unit{};
  return Error{Errc::limit, "output cannot be kept together: " + spilled.error().message};
}

Status OutputSpool::spill(Kept& kept) {
  if (!file_.is_open()) {
    auto file = open_unnamed_file();
    if (!file) return file.error();
    file_ = std::move(*file);
  }
  while (!kept.memory.empty()) {
    const auto count = ::pwrite(file_.get(), kept.memory.data(), kept.memory.size(), static_cast<off_t>(end_));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return platform::system_error("no room for it in the temporary directory", errno);
    const auto length = static_cast<std::uint64_t>(count);
    if (!kept.extents.empty() && kept.extents.back().offset + kept.extents.back().length == end_) {
      kept.extents.back().length += length;
    } else {
      kept.extents.push_back({end_, length});
    }
    end_ += length;
    live_ += length;
    memory_ -= length;
    kept.memory.erase(0, static_cast<std::size_t>(count));
  }
  std::string().swap(kept.memory);
  return Unit{};
}

void OutputSpool::release(Extent extent) {
  live_ -= extent.length;
  if (live_ == 0) {
    end_ = 0;
    [[maybe_unused]] const int truncated = ::ftruncate(file_.get(), 0);  // else it is only larger than needed
    return;
  }
  ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(extent.offset),
              static_cast<off_t>(extent.length));
}

Status OutputSpool::take_out(Kept& kept, const std::function<Status(std::string_view)>& sink) {
  const Kept taken = std::exchange(kept, {});
  memory_ -= taken.memory.size();
  Status status = Unit{};
  std::string part;
  for (const Extent& extent : taken.extents) {
    for (std::uint64_t done = 0; status && done < extent.length;) {
      part.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kMostOfStream, extent.length - done)));
      const auto count = ::pread(file_.get(), part.data(), part.size(), static_cast<off_t>(extent.offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        status = platform::system_error("cannot read the kept output back", errno);
      } else {
        done += static_cast<std::uint64_t>(count);
        status = sink(std::string_view(part).substr(0, static_cast<std::size_t>(count)));
      }
    }
    release(extent);
  }
  if (status && !taken.memory.empty()) status = sink(taken.memory);
  return status;
}

}  // namespace hakuriver::cli
