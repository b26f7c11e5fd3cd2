// A program run to its end, for what it prints.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::container {

struct ChildRequest {
  Argv argv{};                             // the first word is a path, or is looked up on our own PATH
  std::vector<std::string> environment{};  // all of it
  std::chrono::milliseconds patience{0};   // it is killed after this; 0: never
  int output_file = -1;                    // an open file that its output goes to instead, unless it is -1
  bool is_apart = false;                   // in a process group of its own, where Ctrl-C does not reach it
  bool ends_with_us = false;               // it is killed when the thread that runs it ends
};

struct ChildEnd {
  int exit_code = 0;  // 128 + n where signal n ended it
  std::string output{};
  std::string first_error{};  // the first line of its standard error
};

// Its input is empty. Of its output 4 MiB are taken, of its errors 4 KiB; more is read and dropped. Errc::not_found
// where there is no such program, unavailable where it takes too long, io for what the system refuses.
Result<ChildEnd> run_child(const ChildRequest& request);

}  // namespace hakuriver::container
