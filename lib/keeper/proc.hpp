// What /proc tells of processes: proc(5).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hakuriver/keeper.hpp"

namespace hakuriver::keeper {

struct ProcessStat {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  char state = '?';  // R S D T t Z X I
  std::int64_t threads = 0;
  std::uint64_t start_ticks = 0;
  std::string name;

  // A zombie with more threads is a process whose first thread has ended before the others.
  bool is_dead() const { return state == 'X' || (state == 'Z' && threads <= 1); }
};

// At most `limit` bytes of a file; nothing where it cannot be read.
std::optional<std::string> read_text(const char* path, std::size_t limit);

// One line of /proc/PID/stat. The name may hold blanks and parentheses.
std::optional<ProcessStat> parse_stat(std::string_view text);
std::optional<ProcessStat> read_stat(pid_t pid);

// ProcessStat::start_ticks of a process that was made since ticks_since_boot() was `before`; 0 where it is gone. The
// kernel stamps it with the time since boot, so that within one tick there is nothing to read, which would wait for the
// new program to be loaded.
std::uint64_t start_ticks_since(std::uint64_t before, pid_t pid);

// The attempt that an environment names by HAKURIVER_TASK_ID and HAKURIVER_TASK_ATTEMPT; entries end in NUL.
std::optional<AttemptKey> parse_attempt(std::string_view environment);
std::optional<AttemptKey> read_attempt(pid_t pid);

// The same of a process that may be executing a new program just now, when its environment reads as empty: looks
// again for up to 10 ms.
std::optional<AttemptKey> read_attempt_patiently(pid_t pid);

// The children of the calling process, dead ones that were not waited for included.
std::vector<pid_t> read_children();

// All processes, read once.
class ProcessTable {
 public:
  static ProcessTable read();

  const ProcessStat* find(pid_t pid) const;
  // The living members of a session.
  std::vector<pid_t> session(pid_t id) const;
  // `seeds` and all their descendants that live, each once.
  std::vector<pid_t> with_descendants(const std::vector<pid_t>& seeds) const;
  // The living processes whose standard output or error is that very file; none where it is empty or a device.
  std::vector<pid_t> writers_of(const std::string& path) const;
  // The living processes whose environment names an attempt. Reads every environment at the first call.
  const std::multimap<AttemptKey, pid_t>& attempts();

 private:
  std::unordered_map<pid_t, ProcessStat> processes_;
  std::unordered_multimap<pid_t, pid_t> children_;
  std::unordered_multimap<pid_t, pid_t> sessions_;
  std::optional<std::multimap<AttemptKey, pid_t>> attempts_;
};

}  // namespace hakuriver::keeper
