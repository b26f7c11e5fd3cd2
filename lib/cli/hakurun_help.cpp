#include <algorithm>
#include <string>
#include <utility>

#include "cli/hakurun_option_table.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::string_view kExamples = R"(Examples:
  hakurun echo hello 'span:{1..3}' 'span:[A,B]'      six: 1 A, 1 B, 2 A, ...
  hakurun --parallel python train.py --lr='span:[0.1,0.01]' --seed span:1..5
  hakurun -j 4 ./simulate --mode 'span:[fast,exact]' --out 'run-{mode}-{#}.csv'
  hakurun --zip ./convert 'span:[a.png,b.png]' 'span:[a.jpg,b.jpg]'
  hakurun -j 50% --joblog runs.log --resume --retries 2 ./run 'span:{1..1000}'
  hakurun --sample 20 --seed 1 python train.py --lr 'span:{0.01..0.1..0.01}'
  hakurun module:function 'span:{1..3}' x            calls it: (1, "x"), ...
  hakurun --shell 'sort span:[a,b].txt | head -1 > {#}.top'
  hakurun --dry-run hakuriver.client -- python a.py span:1..3 | bash

Usage: hakurun [--parallel] [-j N] [OPTION]... [--] COMMAND ARGUMENTS...

COMMAND is a program on PATH, a path, a Python module, or a function of one
(module:function, module:Class.method). It runs once for each combination of
the spans in it and its arguments, the first span slowest; each run reads
nothing.

Spans (quote them: unquoted, the shell may read them first):
  span:{1..5}  span:{5..1}  span:{1..9..2}  span:{007..012}     whole numbers
  span:{0.1..0.5..0.1}  span:{A..Z}              decimals with a step, letters
  span:{32,64,128}  span:[small,medium,large]    lists
  span:1..5  span:a,b,c                          the same, safe in every shell
A function gets whole numbers as int, unless they stand in square brackets, and
everything else as str.

Names and placeholders: lr=span:..., --lr=span:... and --lr span:... name their
span; in other words of the command, in --env and in --cwd
  {lr}   is its value
  {#}    the combination's number, from 1
  {%}    the number of the slot it runs in
Other braces, and those behind a $, stay as they are.
)";

constexpr std::string_view kAfterOptions = R"(
Without --parallel and -j the commands run one after the other, and write
straight to where hakurun does. Else what a command prints is kept until it ends
and then written in one piece. hakurun's own words are on stderr.

Each option may also come from the environment: HAKURUN_JOBS=4,
HAKURUN_KEEP_ORDER=1. The command line wins; --no-tag and its like take a flag
back. TIME is in seconds, or has a unit: 500ms, 30s, 5m, 2h, 1d. SIZE: 512M, 4G.

The commands find in their environment: HAKURUN_INDEX (their number, from 1),
HAKURUN_TOTAL, HAKURUN_SLOT, HAKURUN_NAME, HAKURUN_ATTEMPT, and
HAKURUN_PARAM_<name> for each span.

HAKURUN_PYTHON names the Python that runs modules and functions, and `python`
where there is none; else python3.

Exit status: 0 every command succeeded, 1 one failed, 2 wrong usage, 3 a file or
directory is missing that hakurun itself needs, 130 interrupted; with --to
cluster also 5: the sweep did not get there.
Ctrl-C stops the running commands (TERM); a second one kills them.
)";

constexpr std::size_t kHelpColumn = 26;
constexpr std::size_t kWidth = 80;

// Puts the words of the text into lines that begin at kHelpColumn; the first has `begin` in front.
std::string wrap(std::string begin, std::string_view text) {
  begin.resize(std::max(begin.size() + 1, kHelpColumn), ' ');
  std::string lines;
  std::string line = std::move(begin);
  bool has_words = false;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (line.size() + word.size() + (has_words ? 1 : 0) > kWidth) {
      lines += line + '\n';
      line.assign(kHelpColumn, ' ');
      has_words = false;
    }
    if (has_words) line += ' ';
    line += word;
    has_words = true;
  }
  return lines + line + '\n';
}

// "  -j, --jobs N             N at once, ..."
std::string describe(const HakurunOption& option) {
  std::string text = option.letter == 0 ? "      --" : std::string("  -") + option.letter + ", --";
  text += option.name;
  if (!option.alias.empty()) text += ", --" + std::string(option.alias);
  if (!option.argument.empty()) text += " " + std::string(option.argument);
  return wrap(std::move(text), option.help);
}

}  // namespace

std::string hakurun_help() {
  std::string text(kExamples);
  for (const auto& group : hakurun_option_groups()) {
    text += "\n" + std::string(group.title) + ":\n";
    for (const auto& option : group.options) text += describe(option);
  }
  return text + std::string(kAfterOptions);
}

}  // namespace hakuriver::cli
