#include "systemd/systemd_program.hpp"

#include <unistd.h>

#include <string>

#include "systemd/control.hpp"
#include "systemd/options.hpp"
#include "systemd/run.hpp"

namespace hakuriver::systemd {

int systemd_program(const Argv& words) {
  const auto options = parse_options(words);
  if (!options) {
    const std::string line = "hakuriver-systemd: " + options.error().message + "\n";
    const auto written = ::write(2, line.data(), line.size());
    return written < 0 ? 125 : 2;
  }
  return options->verb == "run" ? run(*options) : control(*options);
}

}  // namespace hakuriver::systemd
