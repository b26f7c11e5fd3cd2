#include "cli/hakurun_options.hpp"

#include <charconv>
#include <limits>
#include <string_view>

namespace hakuriver::cli {
namespace {

Status set_jobs(HakurunOptions& options, std::string_view value);
Status set_limit(HakurunOptions& options, std::string_view value);

// One row serves the parser and --help. A row has either a flag, or a setter and the name of its argument.
struct Option {
  char letter;  // 0: none
  std::string_view name;
  std::string_view argument;
  bool HakurunOptions::*flag;
  Status (*set)(HakurunOptions&, std::string_view);
  std::string_view help;
};

constexpr Option kOptions[] = {
    {0, "parallel", "", &HakurunOptions::parallel, nullptr,
     "run all combinations at once, but never more than 1000 (or half the limit on your processes)"},
    {'j', "jobs", "N", nullptr, &set_jobs, "run at most N at once, 1 to 10000; implies --parallel"},
    {'n', "dry-run", "", &HakurunOptions::dry_run, nullptr,
     "print the commands, one per line and quoted for a shell; run nothing"},
    {0, "count", "", &HakurunOptions::count, nullptr, "print how many combinations there are; run nothing"},
    {0, "limit", "N", nullptr, &set_limit, "only the first N combinations"},
    {'h', "help", "", &HakurunOptions::help, nullptr, "print this"},
    {0, "version", "", &HakurunOptions::version, nullptr, "print the version"},
};

constexpr std::string_view kExamples = R"(Examples:
  hakurun echo hello 'span:{1..3}' 'span:[A,B]'               six commands: 1 A, 1 B, 2 A, ...
  hakurun --parallel python train.py --lr='span:[0.1,0.01]' --seed span:1..5
  hakurun -j 4 ./simulate --mode 'span:[fast,exact]' --out 'run-span:{01..20}.csv'
  hakurun my_module:my_function 'span:{1..3}' x               calls a Python function: (1, "x"), ...
  hakurun --dry-run hakuriver.client -- python a.py span:1..3 | bash

Usage: hakurun [--parallel] [-j N] [OPTION]... [--] COMMAND ARGUMENTS...

COMMAND is a program on PATH, a path, a Python module, or a function of one (module:function). It runs once for each
combination of the spans in it and its arguments, the first span slowest; each run reads /dev/null.

Spans (quote them: unquoted, the shell may read them first):
  span:{1..5}  span:{5..1}  span:{1..9..2}  span:{007..012}     whole numbers, both ends included
  span:{0.1..0.5..0.1}  span:{A..Z}                             decimals with a step, letters
  span:{32,64,128}  span:[small,medium,large]                   lists
  span:1..5  span:a,b,c                                         the same, safe in every shell
A function gets whole numbers as int, unless they stand in square brackets, and everything else as str.

Options:
)";

constexpr std::string_view kAfterOptions = R"(
Without --parallel and -j the commands run one after the other. With them, what a command prints is kept until it ends
and then written in one piece. hakurun's own words are on stderr.

HAKURUN_PYTHON names the Python that runs modules and functions, and `python` where there is none; else python3.

Exit status: 0 every command succeeded, 1 one failed, 2 wrong usage, 130 interrupted.
Ctrl-C stops the running commands (TERM); a second one kills them.
)";

template <class Number>
bool parse_count(std::string_view text, Number most, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= most;
}

Status set_jobs(HakurunOptions& options, std::string_view value) {
  std::uint32_t jobs = 0;
  if (!parse_count(value, kMostJobs, jobs)) {
    return Error{Errc::invalid_argument,
                 "'" + std::string(value) + "' is no number of jobs: expected 1 to " + std::to_string(kMostJobs)};
  }
  options.jobs = jobs;
  return Unit{};
}

Status set_limit(HakurunOptions& options, std::string_view value) {
  std::uint64_t limit = 0;
  if (!parse_count(value, std::numeric_limits<std::uint64_t>::max(), limit)) {
    return Error{Errc::invalid_argument, "'" + std::string(value) + "' is no limit: expected a number from 1"};
  }
  options.limit = limit;
  return Unit{};
}

// A word of the command line as an option of the table, with the argument that is attached to it.
struct Match {
  const Option* option = nullptr;
  std::optional<std::string_view> value;
};

Match find_long(std::string_view text) {
  const auto equals = text.find('=');
  for (const Option& option : kOptions) {
    if (text.substr(0, equals) != option.name) continue;
    if (equals == std::string_view::npos) return {&option, std::nullopt};
    return {&option, text.substr(equals + 1)};
  }
  return {};
}

Match find_short(std::string_view text) {
  for (const Option& option : kOptions) {
    if (option.letter == 0 || text.front() != option.letter) continue;
    if (text.size() == 1) return {&option, std::nullopt};
    return {&option, text.substr(1)};
  }
  return {};
}

Error unknown_option(std::string_view word) {
  return {Errc::invalid_argument, "unknown option '" + std::string(word) +
                                      "': see hakurun --help (options of the command go after the command)"};
}

// Takes one option, and the next word where it is its argument. Returns how many words that were.
Result<std::size_t> take_option(HakurunOptions& options, std::span<const char* const> words) {
  const std::string_view word = words.front();
  const Match match = word.substr(0, 2) == "--" ? find_long(word.substr(2)) : find_short(word.substr(1));
  if (match.option == nullptr) return unknown_option(word);
  const std::string name = "--" + std::string(match.option->name);
  if (match.option->flag != nullptr) {
    if (match.value)
      return word[1] == '-' ? Error{Errc::invalid_argument, name + " takes no value"} : unknown_option(word);
    options.*match.option->flag = true;
    return std::size_t{1};
  }
  if (!match.value && words.size() < 2) return Error{Errc::invalid_argument, name + " needs a number after it"};
  const auto set = match.option->set(options, match.value ? *match.value : std::string_view(words[1]));
  if (!set) return Error{set.error().code, name + ": " + set.error().message};
  return std::size_t{match.value ? 1u : 2u};
}

}  // namespace

Result<HakurunOptions> parse_hakurun_options(std::span<const char* const> arguments) {
  HakurunOptions options;
  std::size_t at = 0;
  while (at < arguments.size()) {
    const std::string_view word = arguments[at];
    if (word.size() < 2 || word.front() != '-') break;
    if (word == "--") {
      ++at;
      break;
    }
    const auto taken = take_option(options, arguments.subspan(at));
    if (!taken) return taken.error();
    at += *taken;
  }
  options.typed_before.emplace_back("hakurun");
  options.typed_before.insert(options.typed_before.end(), arguments.begin(),
                              arguments.begin() + static_cast<std::ptrdiff_t>(at));
  options.command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(at), arguments.end());
  if (options.command.empty() && !options.help && !options.version) {
    return Error{Errc::invalid_argument,
                 "no command: expected hakurun [OPTIONS] COMMAND ARGUMENTS... (hakurun --help)"};
  }
  return options;
}

std::string hakurun_help() {
  std::string text(kExamples);
  for (const Option& option : kOptions) {
    std::string line = option.letter == 0 ? "      --" : std::string("  -") + option.letter + ", --";
    line += option.name;
    if (!option.argument.empty()) line += " " + std::string(option.argument);
    line.resize(22, ' ');
    text += line + std::string(option.help) + "\n";
  }
  return text + std::string(kAfterOptions);
}

}  // namespace hakuriver::cli
