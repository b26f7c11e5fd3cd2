// Output of commands that run at the same time, kept apart and written in one piece.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/local.hpp"
#include "hakuriver/result.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::cli {

// Writes everything, but never so that a reader who has stopped reading keeps us from hearing a signal: while it waits
// it calls `watched` whenever `watched_fd` (-1: none) is readable. `abandoned` tells that the rest is not wanted.
// unavailable where the reader is gone.
struct PatientWriter {
  int watched_fd = -1;
  std::function<void()> watched;
  std::function<bool()> abandoned;

  Status write(int fd, std::string_view bytes) const;
};

// Keeps up to 64 KiB of each command's two outputs in memory and the rest in an unnamed file in TMPDIR (or /tmp).
class GroupedOutput {
 public:
  GroupedOutput(PatientWriter writer, int stdout_fd, int stderr_fd);

  // From here on the command's output is kept.
  void begin(std::uint64_t index);

  // Output of a command that is not kept (a process that it left behind writes) goes out as it comes.
  // limit where there is no room to keep it: the command's output so far is written, no longer in one piece.
  Status add(std::uint64_t index, engine::OutputStream stream, std::string_view bytes);

  // Writes what the command has printed, stdout first, and forgets it.
  Status finish(std::uint64_t index);

 private:
  struct Kept {
    std::string memory;
    platform::Descriptor file;  // what came before `memory`
  };

  Status spill(Kept& kept) const;
  Status write_out(Kept& kept, int fd) const;

  PatientWriter writer_;
  std::array<int, 2> targets_;
  std::unordered_map<std::uint64_t, std::array<Kept, 2>> kept_;
};

}  // namespace hakuriver::cli
