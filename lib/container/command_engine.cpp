#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "container/child.hpp"
#include "container/engine.hpp"
#include "container/messages.hpp"
#include "platform/files.hpp"

namespace hakuriver::container {
namespace {

constexpr std::chrono::milliseconds kPatience{120'000};
constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kLongestLine = 32'768;  // of a file of variables: what all clients read

// Where the client keeps its settings, logins and, without a daemon, its containers: its user's, as ours are.
std::vector<std::string> client_environment() {
  std::vector<std::string> environment;
  if (std::getenv("PATH") == nullptr) environment.emplace_back(kPath);
  for (const std::string name : kClientVariables) {
    if (const char* value = std::getenv(name.c_str())) environment.push_back(name + "=" + value);
  }
  return environment;
}

// Whether it can stand in a file of variables as it is.
bool fits_line(std::string_view entry) {
  const auto name = entry.substr(0, entry.find('='));
  return entry.size() <= kLongestLine && entry.find_first_of("\r\n") == std::string_view::npos &&
         name.find_first_of(" \t") == std::string_view::npos && !name.starts_with('#');
}

// Variables by which a task would change what the client does, who could have them from the file only.
constexpr std::array<std::string_view, 10> kOfClient{"PATH", "HOME",   "DOCKER_", "CONTAINER", "PODMAN",
                                                     "XDG_", "TMPDIR", "LD_",     "GODEBUG",   "REGISTRY"};

bool is_of_client(std::string_view entry) {
  const auto name = entry.substr(0, entry.find('='));
  if (name.find("proxy") != std::string_view::npos || name.find("PROXY") != std::string_view::npos) return true;
  return std::any_of(kOfClient.begin(), kOfClient.end(), [name](std::string_view prefix) {
    return prefix.ends_with('_') || prefix == "CONTAINER" || prefix == "PODMAN" || prefix == "REGISTRY"
               ? name.starts_with(prefix)
               : name == prefix;
  });
}

// A client's messages name the client and the daemon before what happened.
std::string cut_prefix(std::string line) {
  for (const std::string_view prefix : {"Error response from daemon: ", "Error: ", "docker: "}) {
    if (const auto at = line.find(prefix); at < 32) line.erase(0, at + prefix.size());
  }
  return line;
}

// What was inspected, which some clients put into a list whatever they are asked for.
std::string_view only_one(std::string_view text) {
  const auto begin = text.find_first_not_of(" \n");
  const auto end = text.find_last_not_of(" \n");
  const bool is_list = begin != std::string_view::npos && text[begin] == '[' && text[end] == ']';
  return is_list ? text.substr(begin + 1, end - begin - 1) : text;
}

Errc code_of(std::string_view line) {
  const auto has = [line](std::string_view words) { return line.find(words) != std::string_view::npos; };
  constexpr std::string_view kAway[] = {"Cannot connect", "cannot connect", "error during connect",
                                        "denied while trying to connect", "unexpected EOF"};
  if (std::any_of(std::begin(kAway), std::end(kAway), has)) return Errc::unavailable;
  if (has("No such") || has("no such") || has("not known")) return Errc::not_found;
  constexpr std::string_view kConflicts[] = {"is not running", "not paused", "already paused",
                                             "already in use", "is using",   "in use by"};
  if (std::any_of(std::begin(kConflicts), std::end(kConflicts), has)) return Errc::conflict;
  return Errc::invalid_argument;
}

class CommandEngine final : public Engine {
 public:
  CommandEngine(DockerClient client, std::string scratch) : client_(std::move(client)), scratch_(std::move(scratch)) {}

  Status ping() override { return tell({"ps", "--quiet"}); }

  Result<Image> image(const std::string& reference) override {
    const auto answer = ask({"image", "inspect", "--format", "{{json .}}", reference});
    if (!answer) return answer.error();
    return decode_image(only_one(*answer));
  }

  Result<std::vector<std::string>> load(const std::string& path) override {
    if (const auto file = platform::open_regular_file(path); !file) return Error{Errc::io, file.error().message};
    const auto said = ask({"load", "--input", path}, std::chrono::milliseconds{0});
    if (!said) return said.error();
    std::vector<std::string> loaded;
    for (std::string_view rest = *said; !rest.empty();) {
      const auto end = std::min(rest.find('\n'), rest.size());
      if (auto reference = loaded_image(rest.substr(0, end)); !reference.empty())
        loaded.push_back(std::move(reference));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return loaded;
  }

  Status pull(const std::string& reference) override {
    const auto done = tell({"pull", "--quiet", reference}, std::chrono::milliseconds{0});
    if (done) return done;
    // What no registry says is the way to it.
    const Errc other = done.error().code == Errc::unavailable ? Errc::unavailable : Errc::io;
    return Error{code_of_pull(done.error().message, other), done.error().message};
  }

  Status tag(const std::string& image, const std::string& reference) override {
    return tell({"tag", image, reference});
  }

  Result<std::vector<std::string>> references(const std::string& repository) override {
    const auto said = ask({"images", "--filter", "reference=" + repository, "--format", "{{.Repository}}:{{.Tag}}"});
    if (!said) return said.error();
    std::vector<std::string> found;
    for (std::string_view rest = *said; !rest.empty();) {
      const auto end = std::min(rest.find('\n'), rest.size());
      found.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return found;
  }

  Status remove_image(const std::string& reference) override { return tell({"rmi", reference}); }

  Status create(const Container& container, const Argv& command, const std::vector<std::string>& environment) override {
    Container wanted = container;
    std::vector<std::string> own = client_environment();
    std::string file;
    for (const auto& entry : environment) {
      const auto name = entry.substr(0, entry.find('='));
      if (fits_line(entry)) {
        file += entry + "\n";
      } else if (!is_of_client(entry)) {
        wanted.variables.push_back(name);
        own.push_back(entry);
      } else {
        return Error{Errc::invalid_argument,
                     "variable '" + name + "': such a value cannot be passed through '" + client_.program + "'"};
      }
    }
    wanted.variable_file = scratch_ + "/variables";
    if (auto written = platform::write_file_atomically(wanted.variable_file, file, 0600); !written) return written;
    const auto done = run(build_docker_create(client_, wanted, command), std::move(own));
    ::unlink(wanted.variable_file.c_str());
    if (!done) return done.error();
    return Unit{};
  }

  Status start(const std::string& name) override { return tell({"start", name}); }

  Result<ContainerState> state(const std::string& name) override {
    const auto answer = ask({"container", "inspect", "--format", "{{json .}}", name});
    if (!answer) return answer.error();
    return decode_container(only_one(*answer));
  }

  Status wait(const std::string& name) override { return tell({"wait", name}, std::chrono::milliseconds{0}); }
  Status pause(const std::string& name) override { return tell({"pause", name}); }
  Status resume(const std::string& name) override { return tell({"unpause", name}); }
  Status kill(const std::string& name) override { return tell({"kill", name}); }

  Status execute(const std::string& name, const Argv& command) override {
    Argv words{"exec", "--user=0:0", name};
    words.insert(words.end(), command.begin(), command.end());
    return tell(std::move(words));
  }

  Status remove(const std::string& name) override { return tell({"rm", "--force", "--volumes", name}); }

 private:
  Result<std::string> run(Argv argv, std::vector<std::string> environment,
                          std::chrono::milliseconds patience = kPatience) const {
    auto end = run_child({std::move(argv), std::move(environment), patience});
    if (!end) return end.error();
    if (end->exit_code == 0) return std::move(end->output);
    if (end->exit_code > 128) {  // whoever killed it did not kill what it asked for
      return Error{Errc::unavailable, "'" + client_.program + "' was killed"};
    }
    const auto line = cut_prefix(std::move(end->first_error));
    return Error{code_of(line), line.empty() ? "exit status " + std::to_string(end->exit_code) : decode_error(line)};
  }

  Result<std::string> ask(Argv words, std::chrono::milliseconds patience = kPatience) const {
    Argv argv = client_words(client_);
    argv.insert(argv.end(), words.begin(), words.end());
    return run(std::move(argv), client_environment(), patience);
  }

  Status tell(Argv words, std::chrono::milliseconds patience = kPatience) const {
    const auto answer = ask(std::move(words), patience);
    if (!answer) return answer.error();
    return Unit{};
  }

  const DockerClient client_;
  const std::string scratch_;
};

}  // namespace

std::unique_ptr<Engine> open_command_engine(DockerClient client, std::string scratch) {
  return std::make_unique<CommandEngine>(std::move(client), std::move(scratch));
}

}  // namespace hakuriver::container
