// What a command used, counted by the kernel for the cgroup that this process is in, and kept in a file for the one who
// asks when the cgroup is gone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hakuriver/outcome.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::launch {

struct Account {
  Outcome outcome{};  // exited, signaled or oom_killed
  std::uint64_t cpu_microseconds = 0;
  std::uint64_t peak_bytes = 0;  // 0: not known
  bool operator==(const Account&) const = default;
};

// Of a command that was waited for: its status as of waitpid(2), the process time of this process's children, and this
// process's own cgroup.
Account take_account(int wait_status);

// One line for each fact: "exited 3", "cpu_microseconds 120000", "peak_bytes 4096".
std::string to_text(const Account& account);
Result<Account> parse_account(std::string_view text);

// The file is whole, or not there.
Status write_account(const std::string& path, const Account& account);

}  // namespace hakuriver::launch
