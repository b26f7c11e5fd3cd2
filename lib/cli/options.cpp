#include "cli/options.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace hakuriver::cli {
namespace {

constexpr std::size_t kHelpColumn = 26;
constexpr std::size_t kHelpWidth = 80;

Error usage(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

std::string shown(std::string_view word) { return "'" + std::string(word.substr(0, 80)) + "'"; }

// Levenshtein's distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

Error unknown_option(std::span<const Option> table, std::string_view word) {
  std::vector<std::string_view> names;
  for (const auto& option : table) names.push_back(option.name);
  const auto near = word.starts_with("--") ? nearest_name(word.substr(2, word.find('=') - 2), names) : "";
  std::string message = "there is no option " + shown(word);
  if (!near.empty()) return usage(message + "; did you mean '--" + std::string(near) + "'?");
  return usage(message + "; see --help");
}

const Option* find_option(std::span<const Option> table, std::string_view word) {
  const bool is_long = word.starts_with("--");
  const std::string_view name = is_long ? word.substr(2, word.find('=') - 2) : word.substr(1);
  for (const auto& option : table) {
    if (is_long ? option.name == name : name.size() == 1 && option.letter != 0 && option.letter == name[0]) {
      return &option;
    }
  }
  return nullptr;
}

// Reads the option at words[at] and leaves `at` behind it.
Result<GivenOption> read_option(std::span<const Option> table, std::span<const std::string> words, std::size_t& at) {
  const std::string_view word = words[at++];
  const Option* option = find_option(table, word);
  if (option == nullptr) return unknown_option(table, word);
  const std::string name = "--" + std::string(option->name);
  const auto equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
  if (equals != std::string_view::npos) {
    if (option->arity() == Arity::flag) return usage("option " + name + " takes no value");
    return GivenOption{option->name, std::string(word.substr(equals + 1)), true};
  }
  if (option->arity() == Arity::flag) return GivenOption{option->name, {}, false};
  const bool has_next = at < words.size();
  if (option->arity() == Arity::optional) {
    const bool takes = has_next && !words[at].empty() && words[at][0] != '-';
    return takes ? GivenOption{option->name, words[at++], true} : GivenOption{option->name, {}, false};
  }
  if (!has_next || words[at] == "--") {
    return usage("option " + name + " needs a value: " + std::string(option->value));
  }
  return GivenOption{option->name, words[at++], true};
}

// Appends the words of `text` from kHelpColumn on, the first line being already `used` columns long.
void append_wrapped(std::string& out, std::string_view text, std::size_t used) {
  if (used + 2 > kHelpColumn) {
    out += '\n';
    used = 0;
  }
  out.append(kHelpColumn - used, ' ');
  std::size_t column = kHelpColumn;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (column > kHelpColumn && column + 1 + word.size() > kHelpWidth) {
      out += '\n';
      out.append(kHelpColumn, ' ');
      column = kHelpColumn;
    } else if (column > kHelpColumn) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

}  // namespace

const GivenOption* CommandLine::find(std::string_view name) const noexcept {
  const auto found =
      std::find_if(options.rbegin(), options.rend(), [name](const GivenOption& o) { return o.name == name; });
  return found == options.rend() ? nullptr : &*found;
}

std::vector<std::string> CommandLine::values(std::string_view name) const {
  std::vector<std::string> all;
  for (const auto& option : options) {
    if (option.name == name) all.push_back(option.value);
  }
  return all;
}

Result<CommandLine> parse_options(std::span<const Option> table, std::span<const std::string> words) {
  CommandLine line;
  std::size_t at = 0;
  while (at < words.size()) {
    const std::string& word = words[at];
    if (word == "--") {
      line.is_separated = true;
      ++at;
      break;
    }
    if (word.size() < 2 || word[0] != '-') break;
    auto option = read_option(table, words, at);
    if (!option) return option.error();
    line.options.push_back(std::move(*option));
  }
  line.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return line;
}

std::string_view nearest_name(std::string_view wrong, std::span<const std::string_view> names) {
  if (wrong.empty() || wrong.size() > 64) return {};
  std::string_view best;
  std::size_t best_distance = wrong.size() <= 3 ? 2 : 3;  // more than this far is another word
  for (const auto name : names) {
    const bool continues = wrong.size() >= 3 && name.starts_with(wrong);
    const std::size_t far = continues ? 1 : distance(wrong, name);
    if (far < best_distance) {
      best = name;
      best_distance = far;
    }
  }
  return best;
}

std::string describe_options(std::span<const Option> table) {
  std::string out;
  std::string_view group;
  for (const auto& option : table) {
    if (option.group != group) {
      group = option.group;
      out += '\n' + std::string(group) + ":\n";
    }
    std::string head = "  ";
    if (option.letter != 0) head += std::string("-") + option.letter + ", ";
    head += "--" + std::string(option.name);
    if (!option.value.empty()) {
      head += option.is_value_optional ? " [" + std::string(option.value) + "]" : " " + std::string(option.value);
    }
    out += head;
    append_wrapped(out, option.help, head.size());
  }
  return out;
}

}  // namespace hakuriver::cli
