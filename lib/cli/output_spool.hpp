// Output that has to wait: the beginning of each stream in memory, what is more in one unnamed file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/result.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::cli {

// A stream keeps up to 64 KiB in memory, all of them together 16 MiB (and 256 bytes each). The file is in TMPDIR (or
// /tmp) and has no name: nothing is left of it, whatever becomes of us. What has been taken out of it is given back to
// the file system.
class OutputSpool {
 public:
  // A part of the file.
  struct Extent {
    std::uint64_t offset;
    std::uint64_t length;
  };

  // One stream's bytes: the extents, then the memory. Only the spool that it was given to knows what is in it.
  struct Kept {
    std::vector<Extent> extents;
    std::string memory;
    bool empty() const noexcept { return extents.empty() && memory.empty(); }
  };

  // limit where there is no room: `kept` has the bytes nevertheless, and should be taken out.
  Status append(Kept& kept, std::string_view bytes);

  // Gives everything to `sink` in pieces, in order, and forgets it, also where the sink fails.
  Status take_out(Kept& kept, const std::function<Status(std::string_view)>& sink);

  // How much of the file is in use.
  std::uint64_t bytes_in_file() const noexcept { return live_; }

 private:
  Status spill(Kept& kept);
  void release(Extent extent);

  platform::Descriptor file_;
  std::uint64_t end_ = 0;     // where the file ends
  std::uint64_t live_ = 0;    // how much of it is in extents
  std::uint64_t memory_ = 0;  // how much is in memory, of all streams
};

}  // namespace hakuriver::cli
