// Where a program's words go: data to `out`, talk to `err`.
#pragma once

#include <iosfwd>

namespace hakuriver::cli {

struct Streams {
  std::ostream& out;
  std::ostream& err;
};

}  // namespace hakuriver::cli
