#include "cli/hakurun.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "cli/hakurun_options.hpp"
#include "cli/hakurun_run.hpp"
#include "hakuriver/sweep_words.hpp"
#include "hakuriver/version.hpp"

namespace hakuriver::cli {
namespace {

constexpr int kUsage = 2;

// False where nobody reads on.
bool print(HakurunStreams streams, std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(streams.out, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

// One line per combination, as fast as they are read.
int print_commands(const CommandSweep& sweep, std::uint64_t size, HakurunStreams streams) {
  constexpr std::size_t kBatch = 64 * 1024;
  std::string lines;
  for (std::uint64_t i = 0; i < size; ++i) {
    lines += shell_quote(sweep.at(i)) + '\n';
    if (lines.size() < kBatch) continue;
    if (!print(streams, lines)) return 1;
    lines.clear();
  }
  return print(streams, lines) ? 0 : 1;
}

// bash puts a file's name in place of an unquoted span:[...] that happens to match it, and nothing else shows that.
void warn_of_globs(const Argv& plain_words, HakurunStreams streams) {
  for (const auto& word : plain_words) {
    struct stat status {};
    if (::lstat(word.c_str(), &status) != 0) continue;
    say(streams, "a file named " + shell_quote(word) + " exists: the shell may have put its name in place of an " +
                     "unquoted 'span:[...]'; quote the spans");
    return;
  }
}

int run_words(const HakurunOptions& options, HakurunStreams streams) {
  const auto words = parse_sweep(options.command, SweepOrder::first_slowest, options.typed_before);
  if (!words) {
    say(streams, words.error().message);
    return kUsage;
  }
  if (!words->shell_reading.empty()) say(streams, words->shell_reading);
  warn_of_globs(words->plain_words, streams);
  const std::uint64_t size = words->sweep.size();
  const std::uint64_t wanted = options.limit ? std::min(*options.limit, size) : size;
  if (options.count) return print(streams, std::to_string(wanted) + "\n") ? 0 : 1;
  if (options.dry_run) return print_commands(words->sweep, wanted, streams);
  return run_sweep(words->sweep, options, streams);
}

}  // namespace

int hakurun(std::span<const char* const> arguments, HakurunStreams streams) {
  const auto options = parse_hakurun_options(arguments);
  if (!options) {
    say(streams, options.error().message);
    return kUsage;
  }
  if (options->help) return print(streams, hakurun_help()) ? 0 : 1;
  if (options->version) return print(streams, "hakurun " HAKURIVER_VERSION "\n") ? 0 : 1;
  return run_words(*options, streams);
}

}  // namespace hakuriver::cli
