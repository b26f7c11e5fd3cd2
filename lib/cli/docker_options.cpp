#include "cli/docker_options.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "cli/options.hpp"
#include "hakuriver/environment.hpp"

namespace hakuriver::cli {
namespace {

constexpr Option kOptions[] = {
    {.name = "output", .letter = 'o', .value = "FORM", .help = "table or json"},
    {.name = "version",
     .letter = 'V',
     .value = "V",
     .help = "with delete: that package; alone: print this program's version",
     .is_value_optional = true},
    {.name = "force", .help = "with delete: the only package there is, too"},
    {.name = "config",
     .letter = 'c',
     .value = "FILE",
     .help = "the configuration; it says where the shared directory is"},
    {.name = "help", .letter = 'h', .help = "print this"},
};

constexpr std::string_view kHelp = R"(Examples:
  hakuriver.docker create python:3.12 my-env
  hakuriver.docker shell my-env
  hakuriver.docker shell my-env -- pip install numpy
  hakuriver.docker package my-env
  hakuriver.client --container my-env -- python train.py
  hakuriver.docker versions my-env
  hakuriver.docker rollback my-env

Usage: hakuriver.docker VERB [OPTION]... [NAME]

Environments are containers of this machine in which one installs what tasks
need. A package of one is an image in the shared directory: new tasks get the
current one, and keep it whatever is packaged later.

  create [IMAGE] NAME     a container of the image, or of the configured one
  start NAME, stop NAME   its container
  shell NAME [-- COMMAND...]
                          a shell in it, or the command
  package NAME            makes a package of it, which new tasks get from now on
  list                    containers and what is packaged of them
  versions [NAME]         packages; the current one is marked
  rollback NAME [VERSION] new tasks get that package, or the one before
  delete NAME             its container; packages stay
  delete NAME --version V that package

It needs docker or podman on this machine, but no host.

)";

struct Word {
  std::string_view text;
  DockerVerb verb;
};

constexpr Word kWords[] = {
    {"create", DockerVerb::create},
    {"start", DockerVerb::start},
    {"stop", DockerVerb::stop},
    {"shell", DockerVerb::shell},
    {"package", DockerVerb::package},
    {"list", DockerVerb::list},
    {"versions", DockerVerb::versions},
    {"rollback", DockerVerb::rollback},
    {"delete", DockerVerb::remove},
    {"list-containers", DockerVerb::list},
    {"create-container", DockerVerb::create},
    {"delete-container", DockerVerb::remove},
    {"stop-container", DockerVerb::stop},
    {"start-container", DockerVerb::start},
    {"list-tars", DockerVerb::versions},
    {"create-tar", DockerVerb::package},
};

Error usage(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

std::string shown(std::string_view word) { return "'" + std::string(word.substr(0, 80)) + "'"; }

Result<DockerVerb> parse_verb(const std::string& text) {
  const auto known =
      std::find_if(std::begin(kWords), std::end(kWords), [&](const Word& word) { return word.text == text; });
  if (known != std::end(kWords)) return known->verb;
  std::vector<std::string_view> names;
  for (const auto& word : kWords) names.push_back(word.text);
  const auto near = nearest_name(text, names);
  return usage(shown(text) + ": there is no such verb" +
               (near.empty() ? "; see --help" : "; did you mean '" + std::string(near) + "'?"));
}

// The words that are no options, up to the command of a shell.
struct Line {
  std::vector<std::string> words;
  std::vector<GivenOption> options;
  Argv command;

  const GivenOption* find(std::string_view name) const {
    const auto found = std::find_if(options.rbegin(), options.rend(), [&](const auto& it) { return it.name == name; });
    return found == options.rend() ? nullptr : &*found;
  }
};

// Options may stand between words.
Result<Line> split(std::span<const std::string> words) {
  Line line;
  for (;;) {
    auto part = parse_options(kOptions, words);
    if (!part) return part.error();
    std::move(part->options.begin(), part->options.end(), std::back_inserter(line.options));
    const bool is_command = part->is_separated || (line.words.size() == 2 && line.words[0] == "shell");
    if (is_command) line.command = std::move(part->rest);
    if (is_command || part->rest.empty()) return line;
    line.words.push_back(std::move(part->rest.front()));
    words = words.subspan(words.size() - part->rest.size() + 1);
  }
}

Status take_name(const std::string& text, DockerOrder& order) {
  const auto package = parse_package(text);
  const bool takes_version = order.verb == DockerVerb::rollback || order.verb == DockerVerb::remove;
  order.name = package && takes_version ? package->name : text;
  if (package && takes_version) order.version = package->version;
  if (is_environment_name(order.name)) return Unit{};
  return usage(shown(text) + ": expected an environment's name: a-z and 0-9, with single '.', '_' or '-' between them");
}

Status take_version(const std::string& text, DockerOrder& order) {
  order.version = parse_package_version(text);
  if (order.version) return Unit{};
  return usage(shown(text) + ": expected a version, such as 1763740000 (see hakuriver.docker versions)");
}

struct Count {
  std::size_t least;
  std::size_t most;
};

Count words_behind(DockerVerb verb) {
  switch (verb) {
    case DockerVerb::list:
      return {0, 0};
    case DockerVerb::versions:
      return {0, 1};
    case DockerVerb::create:
    case DockerVerb::rollback:
      return {1, 2};
    default:
      return {1, 1};
  }
}

Status take_words(const Line& line, DockerOrder& order) {
  const std::size_t given = line.words.size() - 1;
  const auto count = words_behind(order.verb);
  if (given < count.least) return usage(line.words[0] + ": the name of an environment is missing");
  if (given > count.most) return usage(shown(line.words[count.most + 1]) + ": nothing was expected there; see --help");
  if (given == 0) return Unit{};
  const bool has_image = order.verb == DockerVerb::create && given == 2;
  if (has_image) order.image = line.words[1];
  if (has_image && (order.image.empty() || order.image.starts_with('-'))) {
    return usage(shown(order.image) + ": expected an image");
  }
  if (auto named = take_name(line.words[has_image ? 2 : 1], order); !named) return named;
  return order.verb == DockerVerb::rollback && given == 2 ? take_version(line.words[2], order) : Status(Unit{});
}

Status take_options(const Line& line, DockerOrder& order) {
  if (const auto* config = line.find("config")) order.config_file = config->value;
  order.is_forced = line.find("force") != nullptr;
  const auto* output = line.find("output");
  order.is_json = output != nullptr && output->value == "json";
  if (output != nullptr && !order.is_json && output->value != "table") {
    return usage("--output " + shown(output->value) + ": expected table or json");
  }
  return Unit{};
}

}  // namespace

Result<DockerOrder> parse_docker_order(std::span<const std::string> words) {
  auto line = split(words);
  if (!line) return line.error();
  DockerOrder order;
  if (auto taken = take_options(*line, order); !taken) return taken.error();
  if (line->find("help") != nullptr) return order;
  const auto* version = line->find("version");
  const bool is_delete = !line->words.empty() && line->words[0].starts_with("delete");
  if (version != nullptr && !is_delete) {
    order.verb = DockerVerb::show_version;
    return order;
  }
  if (line->words.empty()) return usage("a verb is missing: create, shell, package, list, ...; see --help");
  const auto verb = parse_verb(line->words[0]);
  if (!verb) return verb.error();
  order.verb = *verb;
  if (order.verb != DockerVerb::shell && !line->command.empty()) {
    return usage(shown(line->command[0]) + ": only shell takes a command");
  }
  order.command = std::move(line->command);
  if (auto taken = take_words(*line, order); !taken) return taken.error();
  if (version != nullptr) {
    if (auto taken = take_version(version->value, order); !taken) return taken.error();
  }
  if (order.verb == DockerVerb::remove && order.version) order.verb = DockerVerb::remove_package;
  return order;
}

std::string docker_help() { return std::string(kHelp) + describe_options(kOptions); }

}  // namespace hakuriver::cli
