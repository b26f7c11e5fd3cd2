// How the one who waits for a start learns of it: the text of /proc/self/cgroup, or an empty line where that cannot be
// read, and the end of the file when the command was executed, else a NUL byte, an errno, a blank and one line of
// message.
#pragma once

#include <string>

#include "hakuriver/result.hpp"

namespace hakuriver::launch {

// Why a command was not executed. ENOENT: there is none of that name; EACCES: it, or its directory, cannot be used;
// anything else is the node's fault.
struct ExecFailure {
  int error = 0;
  std::string message;  // one line
};

class StartReport {
 public:
  // Not yet open: a failure is told on standard error.
  StartReport() = default;
  StartReport(const StartReport&) = delete;
  StartReport& operator=(const StartReport&) = delete;
  ~StartReport() { close(); }

  // The descriptor is closed on execution from now on.
  void take(int descriptor);
  // A FIFO, whose reader is there, or a file.
  Status open(const std::string& path);

  // Just before the execution; keeps the descriptor for what may yet fail.
  void tell_cgroup();
  void tell_failure(const ExecFailure& failure);
  void close();

 private:
  int descriptor_ = -1;
};

// 127, 126, or 125 for what is the node's fault: what the process that failed exits with.
int exit_code_of(const ExecFailure& failure) noexcept;

}  // namespace hakuriver::launch
