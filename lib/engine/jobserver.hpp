// GNU make's jobserver: a pipe with one byte for each command that may run besides the first, shared by all that take
// part (GNU make manual, "POSIX Jobserver"). Whoever wants to start a command reads a byte, and writes it back when the
// command has ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::engine {

// Tokens that are held when it is destroyed are given back.
class Jobserver {
 public:
  // The one that the words of MAKEFLAGS name (--jobserver-auth=R,W or fifo:PATH, or the older --jobserver-fds=R,W);
  // none where they name none. unavailable where they name one that is not there: make hands it only to recipes that
  // are marked by '+' or call $(MAKE).
  static Result<std::optional<Jobserver>> join(std::string_view makeflags);

  // A new one for the commands that are started: so many may run at once in all, whoever starts them. Its pipe is
  // inherited by every process that is started from here on.
  static Result<Jobserver> offer(std::uint32_t jobs);

  Jobserver(Jobserver&& other) noexcept;
  Jobserver& operator=(Jobserver&&) = delete;
  ~Jobserver();

  // One more command may run. The first needs no token: it is ours already. False: wait until descriptor() is readable,
  // and ask again, for another may be faster. Never blocks.
  bool take();

  // One command has ended.
  void give_back();

  int descriptor() const noexcept { return read_end_.get(); }

  // What the commands' MAKEFLAGS must be for them to take part, where `inherited` is what it was. One that was joined
  // is in there already.
  std::string makeflags(std::string_view inherited) const;

 private:
  Jobserver(platform::Descriptor read_end, platform::Descriptor write_end) noexcept;

  platform::Descriptor read_end_;  // of our own and non-blocking: the others need theirs to block
  platform::Descriptor write_end_;
  platform::Descriptor offered_read_end_;
  std::uint32_t offered_jobs_ = 0;  // 0: it was joined
  std::uint32_t running_ = 0;
  std::string tokens_;  // those held; what a byte says is its server's, and the same one goes back
};

}  // namespace hakuriver::engine
