// The cgroup of one attempt, version 2 or version 1: cgroups(7) and the kernel's
// Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/. It holds the attempt's processes whatever they do to their
// session, parent and environment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/keeper.hpp"
#include "keeper/descriptor.hpp"
#include "keeper/unit_cgroup.hpp"

namespace hakuriver::keeper {

// What the kernel counted for a cgroup, and those below it where it says so.
struct CgroupCounts {
  std::uint64_t cpu_microseconds = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t oom_kills = 0;
  bool operator==(const CgroupCounts&) const = default;
};

// The value behind `name` in a file of lines "name value", such as cpu.stat, memory.events, memory.oom_control.
std::optional<std::uint64_t> value_of(std::string_view text, std::string_view name);

// What goes into version 2's cpu.max, and in two parts into version 1's cpu.cfs_quota_us and cpu.cfs_period_us. The
// kernel takes no quota below a millisecond, nor a period above a second.
struct CpuQuota {
  std::uint64_t quota_microseconds = 0;
  std::uint64_t period_microseconds = 0;
  bool operator==(const CpuQuota&) const = default;
};
CpuQuota quota_of(std::uint64_t millicores);

// The limit of memory that is set where so much is asked for: 1 MiB at least. A child of the keeper's is in its cgroup
// while it shares the keeper's memory, and the kernel ends nobody in that state: where it lacked the memory for a table
// of pages there, the child would ask for it again and again, and the keeper wait for it for ever.
constexpr std::uint64_t memory_limit_of(std::uint64_t asked) noexcept {
  constexpr std::uint64_t kLeast = std::uint64_t{1} << 20;
  return asked < kLeast ? kLeast : asked;
}

// With less than this the keeper, which stands still until a child has executed its program, would do so for up to a
// second: such a quota begins when the program has begun.
inline constexpr std::uint64_t kMillicoresToStart = 100;

// Makes the directories that `parent` names, where they are missing, and lets those below have the controllers.
// The directories above them exist.
Status make_parent(const CgroupParent& parent);

// Removes them where nothing is in them.
void remove_parent(const CgroupParent& parent);

// The attempts that have a cgroup there.
std::vector<AttemptKey> attempts_below(const CgroupParent& parent);

// The attempts whose cgroups a process may be in, by the names of the directories; another keeper's perhaps.
std::vector<AttemptKey> attempts_around(pid_t pid);

class Cgroup {
 public:
  Cgroup() = default;  // none
  Cgroup(CgroupParent parent, AttemptKey key);
  // One that somebody else has made and removes: remove() only says whether anything lives in it.
  explicit Cgroup(const UnitCgroup& unit);

  // Whether there is one: named, and not yet removed.
  explicit operator bool() const { return !directories_.empty(); }

  // Makes it with its limits; 0: no such limit, and of memory memory_limit_of() it. Where that fails, nothing is
  // left of it and `error` is errno. Below kMillicoresToStart the quota is only tried.
  Status make(std::uint64_t millicores, std::uint64_t memory_bytes, int& error);

  // The quota that make() has only tried; nothing where it has set it.
  Status begin_quota(std::uint64_t millicores) const;

  // Files that put the thread that writes "0" into it; on version 2 its whole process. Empty where one cannot be
  // opened.
  std::vector<Descriptor> entrances() const;

  // Its directory, for clone3(2) to make a process in it; none with version 1, which cannot.
  Descriptor birthplace() const;

  // Those that live in it or below it, each once.
  std::vector<pid_t> processes() const;
  bool holds(pid_t pid) const;

  // Stops or continues all of it; false where that is not done within some milliseconds: ask again.
  bool freeze(bool frozen) const;
  bool is_frozen() const;
  // Whether freeze() does anything: somebody else's may have no freezer.
  bool can_freeze() const;

  // KILL to all that is in it, frozen or not. What is being forked meanwhile may need another call.
  void kill() const;

  CgroupCounts counts() const;

  // True where it is gone afterwards, which it cannot be while any process lives in it.
  bool remove();

 private:
  bool is_unified() const { return !parent_.unified.empty(); }
  std::string in(const std::string& parent, const char* file) const;
  Status limit(const std::string& path, const std::string& value, int& error) const;
  Status set_quota(std::uint64_t millicores, int& error) const;
  Status lift_quota(int& error) const;
  Status set_limits(std::uint64_t millicores, std::uint64_t memory_bytes, int& error) const;
  bool reads(const std::string& path, std::string_view text) const;

  CgroupParent parent_;
  std::string name_;
  bool is_ours_ = true;
  std::vector<std::string> directories_;  // its own, each once; those that are left
};

}  // namespace hakuriver::keeper
