// hakurun: runs a command once for each combination of its spans.
#pragma once

#include <span>

namespace hakuriver::cli {

// Where the commands write (and what hakurun is asked to print), and where hakurun's own words go.
struct HakurunStreams {
  int out = 1;
  int err = 2;
};

// The program without its name as arguments; returns the exit status: 0 all good, 1 a combination failed, 2 usage,
// 130 interrupted. Signals are taken over while commands run, and given back.
int hakurun(std::span<const char* const> arguments, HakurunStreams streams = {});

}  // namespace hakuriver::cli
