#include "cli/hakurun_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "engine/program_path.hpp"
#include "hakuriver/plan.hpp"
#include "hakuriver/run_sweep.hpp"

namespace hakuriver::cli {
namespace {

// Run by `python -c`, which puts the current directory in front of sys.path.

// Exit status 3: there is no such module. Anything else that goes wrong is left to the run, which shows it.
constexpr const char* kFindModule = R"(
import importlib.util, sys
name = sys.argv[1]
try:
    found = importlib.util.find_spec(name) is not None
except ModuleNotFoundError as missing:
    found = missing.name is None or not (name + ".").startswith(missing.name + ".")
sys.exit(0 if found else 3)
)";
constexpr int kNoSuchModule = 3;

// Each word has its type in front: i for int, s for str.
constexpr const char* kCallFunction = R"(
import importlib, sys
module, function, *words = sys.argv[1:]
sys.argv = [module + ":" + function] + [word[1:] for word in words]
target = importlib.import_module(module)
try:
    for name in function.split("."):
        target = getattr(target, name)
except AttributeError:
    sys.exit(f"hakurun: the module '{module}' has no '{function}'")
target(*[int(word[1:]) if word[0] == "i" else word[1:] for word in words])
)";

bool is_name_start(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

// Python identifiers with dots between them.
bool is_dotted_name(std::string_view text) noexcept {
  bool starts = true;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (c == '.' ? starts : !is_name_start(c) && (starts || !digit)) return false;
    starts = c == '.';
  }
  return !starts;
}

class OneCommand : public Plan {
 public:
  explicit OneCommand(Argv argv) { command_.argv = std::move(argv); }
  std::uint64_t size() const override { return 1; }
  Command at(std::uint64_t) const override { return command_; }

 private:
  Command command_;
};

bool module_exists(const std::string& python, const std::string& name) {
  const OneCommand plan({python, "-c", kFindModule, name});
  bool exists = true;
  RunOptions options;
  options.capture = true;  // importing a package may print
  RunEvents events;
  events.ended = [&exists](const RunEnd& end) { exists = end.outcome != Outcome{OutcomeKind::exited, kNoSuchModule}; };
  const auto summary = hakuriver::run_sweep(plan, options, events);
  return !summary || exists;
}

bool is_regular_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// How to run a file that is there but not executable, or not on PATH.
std::string advice(const std::string& file) {
  const bool has_slash = file.find('/') != std::string::npos;
  const std::string path = has_slash ? file : "./" + file;
  if (::access(file.c_str(), X_OK) == 0) return "try " + shell_quote(path);
  const std::string chmod = "chmod +x " + shell_quote(path);
  const bool is_python = file.size() > 3 && file.substr(file.size() - 3) == ".py";
  return "try " + (is_python ? "python3 " + shell_quote(file) : chmod);
}

}  // namespace

Argv build_argv(const Program& program, const std::vector<Value>& values) {
  Argv argv;
  if (program.kind == Program::Kind::executable) argv = {program.name};
  if (program.kind == Program::Kind::module) argv = {program.python, "-m", program.name};
  const bool typed = program.kind == Program::Kind::function;
  if (typed) argv = {program.python, "-c", kCallFunction, program.name, program.function};
  for (std::size_t i = 1; i < values.size(); ++i) {
    const Value& value = values[i];
    argv.push_back(typed ? (value.is_integer ? "i" : "s") + value.text : value.text);
  }
  return argv;
}

ProgramFinder::ProgramFinder(std::string path, std::string python, std::function<void(std::string_view)> say)
    : path_(std::move(path)), python_(std::move(python)), say_(std::move(say)) {}

const Result<Program>& ProgramFinder::find(const std::string& word) {
  const auto known = found_.find(word);
  if (known != found_.end()) return known->second;
  constexpr std::size_t kMostKnown = 1000;
  if (found_.size() >= kMostKnown) found_.clear();
  return found_.emplace(word, look_up(word)).first->second;
}

std::optional<std::string> ProgramFinder::find_python() const {
  const std::string name = python_.empty() ? "python3" : python_;
  if (name.find('/') != std::string::npos || engine::find_program(name, path_)) return name;
  return std::nullopt;
}

Result<Program> ProgramFinder::look_up(const std::string& word) {
  if (word.find('/') != std::string::npos) return look_up_path(word);
  if (engine::find_program(word, path_)) return Program{Program::Kind::executable, word, {}, {}};
  if (word == "python") {
    const auto python = find_python();
    if (!python) return Error{Errc::not_found, "'python': not found, nor is python3"};
    say_("'python' is not on PATH; running " + shell_quote(*python) + " instead");
    return Program{Program::Kind::executable, *python, {}, {}};
  }
  if (is_regular_file(word)) {
    return Error{Errc::not_found, "'" + word + "': not on PATH, but there is a file of that name: " + advice(word)};
  }
  return look_up_module(word);
}

Result<Program> ProgramFinder::look_up_path(const std::string& word) const {
  struct stat status {};
  if (::stat(word.c_str(), &status) != 0) return Error{Errc::not_found, "'" + word + "': no such file"};
  if (!S_ISREG(status.st_mode)) return Error{Errc::denied, "'" + word + "': not a file that can be run"};
  if (::access(word.c_str(), X_OK) != 0) return Error{Errc::denied, "'" + word + "': not executable: " + advice(word)};
  return Program{Program::Kind::executable, word, {}, {}};
}

Result<Program> ProgramFinder::look_up_module(const std::string& word) {
  const auto colon = word.find(':');
  const std::string module = word.substr(0, colon);
  const std::string function = colon == std::string::npos ? std::string() : word.substr(colon + 1);
  const bool may_be_module = is_dotted_name(module) && (colon == std::string::npos || is_dotted_name(function));
  if (!may_be_module) return Error{Errc::not_found, "'" + word + "': no program of that name on PATH"};

  const auto python = find_python();
  if (!python || !module_exists(*python, module)) {
    return Error{Errc::not_found, "'" + word + "': neither a program on PATH nor a Python module" +
                                      (python ? "" : " (there is no python3 to ask)")};
  }
  const auto kind = colon == std::string::npos ? Program::Kind::module : Program::Kind::function;
  return Program{kind, module, function, *python};
}

}  // namespace hakuriver::cli
