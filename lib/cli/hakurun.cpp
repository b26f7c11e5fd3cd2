#include "cli/hakurun.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "cli/exit_status.hpp"
#include "cli/hakurun_options.hpp"
#include "cli/hakurun_plan.hpp"
#include "cli/hakurun_question.hpp"
#include "cli/hakurun_run.hpp"
#include "hakuriver/selection.hpp"
#include "hakuriver/sweep_words.hpp"
#include "hakuriver/version.hpp"
#include "platform/random.hpp"

namespace hakuriver::cli {
namespace {

constexpr int kUsage = 2;

// More commands than this are not started from a terminal by a slip of the hand.
constexpr std::uint64_t kMostUnasked = 1'000'000;

// A standard descriptor that was closed must not become one of our files, to which commands and messages would then
// write. What takes its place neither reads nor writes, as a closed one.
void occupy_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    const int taken = ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);  // the lowest one that is free
    if (taken < 0) return;
  }
}

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

// "lr=0.1 batch=32", words that a shell reads back.
std::string describe_combination(const CommandSweep& sweep, std::uint64_t i) {
  std::string line;
  for (const auto& parameter : sweep.parameters_at(i)) {
    if (!line.empty()) line += ' ';
    line += shell_quote(parameter.name + '=' + parameter.value.text);
  }
  return line;
}

// One line per combination, as fast as they are read.
int print_lines(const CommandSweep& sweep, const HakurunOptions& options, HakurunStreams streams) {
  constexpr std::size_t kBatch = 64 * 1024;
  const Selection selection(sweep.size(), options.run.selection);
  std::string lines;
  for (std::uint64_t k = 0; k < selection.size(); ++k) {
    const std::uint64_t i = selection.at(k);
    lines += options.expand ? describe_combination(sweep, i) : command_line(sweep, options.shell, i);
    lines += '\n';
    if (lines.size() < kBatch && k != 0) continue;  // the first one at once
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

// A random order that nobody can repeat is of little use, so its seed is said.
void choose_seed(HakurunOptions& options, HakurunStreams streams) {
  SelectionOptions& selection = options.run.selection;
  if (!selection.shuffle && !selection.sample) return;
  if (!options.seed) {
    const auto number = platform::random_number();
    options.seed = number ? *number % 1'000'000'000 : 0;
    say(streams, "the order is that of --seed " + std::to_string(*options.seed));
  }
  selection.seed = *options.seed;
}

// 0, or the exit status of a run that is not wanted.
int ask_to_start(std::uint64_t commands, HakurunStreams streams) {
  const std::string these = "these are " + std::to_string(commands) + " commands";
  const auto answer = ask_on_terminal("hakurun: " + these + ". Start them? [y/N] ");
  if (answer && *answer) return 0;
  say(streams, answer ? "nothing was started: --limit, --sample and --dry-run choose among them, --yes does not ask"
                      : these + ": add --yes to start them, or choose with --limit, --sample or --dry-run");
  return answer ? kExitFailed : kUsage;
}

int run_words(HakurunOptions& options, HakurunStreams streams) {
  const auto order = options.zip ? SweepOrder::together : SweepOrder::first_slowest;
  const auto words = parse_sweep(options.command, order, options.typed_before);
  if (!words) {
    say(streams, words.error().message);
    return kUsage;
  }
  if (!words->shell_reading.empty()) say(streams, words->shell_reading);
  if (ChildOptions children = options.run.children;
      options.to_cluster && !ChildTexts(words->sweep, children).is_empty()) {
    say(streams, "placeholders in --env and --cwd do not go with --to cluster");
    return kUsage;
  }
  warn_of_globs(words->plain_words, streams);
  const std::uint64_t wanted = Selection(words->sweep.size(), options.run.selection).size();
  if (options.count) return print(streams, std::to_string(wanted) + "\n") ? 0 : 1;
  choose_seed(options, streams);
  if (options.dry_run || options.expand) return print_lines(words->sweep, options, streams);
  if (wanted == 0) {
    say(streams, "nothing to run: the sweep has " + std::to_string(words->sweep.size()) + " combinations");
    return 0;
  }
  if (wanted > kMostUnasked && !options.yes && ::isatty(streams.err) == 1) {
    const int refused = ask_to_start(wanted, streams);
    if (refused != 0) return refused;
  }
  // A command is not in the terminal's foreground: reading from it would stop the command for ever.
  if (options.first_reads_stdin && ::isatty(STDIN_FILENO) == 1) {
    say(streams, "--stdin: stdin is a terminal: expected a file or a pipe");
    return kUsage;
  }
  return run_sweep(words->sweep, options, streams);
}

}  // namespace

int hakurun(std::span<const char* const> arguments, HakurunStreams streams) {
  occupy_standard_descriptors();
  auto options = parse_hakurun_options(arguments, &process_environment);
  if (!options) {
    say(streams, options.error().message);
    return kUsage;
  }
  if (options->help) return print(streams, hakurun_help()) ? 0 : 1;
  if (options->version) return print(streams, "hakurun " HAKURIVER_VERSION "\n") ? 0 : 1;
  return run_words(*options, streams);
}

}  // namespace hakuriver::cli
