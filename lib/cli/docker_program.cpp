#include "cli/docker_program.hpp"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ostream>
#include <system_error>
#include <utility>

#include "cli/docker_packages.hpp"
#include "cli/exit_status.hpp"
#include "cli/table.hpp"
#include "hakuriver/config.hpp"
#include "hakuriver/environment.hpp"
#include "hakuriver/version.hpp"
#include "platform/files.hpp"
#include "wire/json_text.hpp"

namespace hakuriver::cli {
namespace {

void report(const DockerOrder& order, Streams streams, const std::string& state) {
  if (!order.is_json) {
    streams.out << "environment '" << order.name << "' is " << state << "\n";
    return;
  }
  std::string out;
  wire::ObjectWriter object(out);
  object.text("name", order.name);
  object.text("container", container_of(order.name));
  object.text("state", state);
  object.close();
  streams.out << out << "\n";
}

// What tasks see as /shared, which all users may write to.
Result<std::string> make_shared_data(const Config& config) {
  const std::string& shared = config.paths.shared_dir;
  const bool is_new = ::access(shared.c_str(), F_OK) != 0;
  if (auto made = platform::create_private_directory(shared); !made) return made.error();
  if (is_new) ::chmod(shared.c_str(), 0755);
  if (shared == "/shared") return shared;
  std::string path = shared + "/shared_data";
  if (::mkdir(path.c_str(), 0777) == 0) {
    ::chmod(path.c_str(), 01777);
  } else if (struct stat facts{}; errno == EEXIST && ::lstat(path.c_str(), &facts) == 0 && !S_ISDIR(facts.st_mode)) {
    return Error{Errc::conflict, "'" + path + "' is a link or a file: expected a directory"};
  } else if (errno != EEXIST) {
    return Error{Errc::io, "cannot create '" + path + "': " + std::generic_category().message(errno)};
  }
  return path;
}

Status bring_image(const DockerProgram& docker, const std::string& image, Streams streams) {
  if (docker.ask({"image", "inspect", "--format", "{{.Id}}", image})) return Unit{};
  if (is_own_image(image)) return Error{Errc::not_found, "image '" + image + "' is not on this machine"};
  streams.err << "pulling " << image << std::endl;
  const auto pulled = docker.ask({"pull", "--quiet", image});
  if (!pulled) return Error{pulled.error().code, "image '" + image + "': " + pulled.error().message};
  return Unit{};
}

Status report_there(const DockerOrder& order, const EnvironmentContainer& there, const std::string& image,
                    Streams streams) {
  if (there.image != image) {
    return Error{Errc::conflict, "environment '" + order.name + "' is there already, from image '" + there.image + "'"};
  }
  report(order, streams, "there already");
  return Unit{};
}

Status create(const DockerOrder& order, const Config& config, const DockerProgram& docker, Streams streams) {
  const std::string& image = order.image.empty() ? config.docker.initial_base_image : order.image;
  const auto there = docker.inspect(order.name);
  if (there) return report_there(order, *there, image, streams);
  if (there.error().code != Errc::not_found) return there.error();
  const auto shared_data = make_shared_data(config);
  if (!shared_data) return shared_data.error();
  if (auto brought = bring_image(docker, image, streams); !brought) return brought;
  const auto made = docker.ask(build_environment_words(order.name, image, *shared_data));
  if (!made) {
    // Somebody else may have been faster, and the name is theirs.
    const auto others = docker.inspect(order.name);
    return others ? report_there(order, *others, image, streams) : Status(made.error());
  }
  const std::string id = made->substr(0, made->find('\n'));
  const auto started = docker.ask({"start", id});
  // The container runs before its command is found, or is not.
  const bool has_sleep = started && docker.ask({"exec", id, "sleep", "0"});
  const auto state = docker.inspect(order.name);
  if (has_sleep && state && state->state == "running") {
    report(order, streams, "running");
    return Unit{};
  }
  static_cast<void>(docker.ask({"rm", "--force", "--volumes", id}));
  if (!started) return started.error();
  return Error{Errc::io, "image '" + image + "': its container ended at once; does it have 'sleep'?"};
}

Status start(const DockerOrder& order, const DockerProgram& docker) {
  const auto container = docker.inspect(order.name);
  if (!container) return container.error();
  if (container->state == "running") return Unit{};
  const auto done = docker.ask({container->state == "paused" ? "unpause" : "start", container_of(order.name)});
  if (!done) return done.error();
  return Unit{};
}

Status tell(const DockerOrder& order, const DockerProgram& docker, Argv words, const std::string& state,
            Streams streams) {
  if (const auto container = docker.inspect(order.name); !container) return container.error();
  words.push_back(container_of(order.name));
  const auto done = docker.ask(std::move(words));
  if (!done) return done.error();
  report(order, streams, state);
  return Unit{};
}

// Returns only where it failed.
Status become_shell(const DockerOrder& order, const DockerProgram& docker, Streams streams) {
  if (auto started = start(order, docker); !started) return started;
  const bool is_terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  const char* const terminal = std::getenv("TERM");
  const Argv argv =
      docker.argv(build_shell_words(order.name, order.command, is_terminal, terminal == nullptr ? "" : terminal));
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  streams.out.flush();
  ::execv(words[0], words.data());
  return Error{Errc::io, "'" + argv[0] + "': " + std::generic_category().message(errno)};
}

Status perform_here(const DockerOrder& order, const Config& config, const environment::Packages& packages,
                    const DockerProgram& docker, Streams streams) {
  switch (order.verb) {
    case DockerVerb::create:
      return create(order, config, docker, streams);
    case DockerVerb::start: {
      auto started = start(order, docker);
      if (started) report(order, streams, "running");
      return started;
    }
    case DockerVerb::stop:
      return tell(order, docker, {"stop"}, "stopped", streams);
    case DockerVerb::remove:
      return tell(order, docker, {"rm", "--force", "--volumes"}, "deleted", streams);
    case DockerVerb::shell:
      return become_shell(order, docker, streams);
    default:
      return list_environments(order, docker, packages, streams);
  }
}

Result<int> exit_of_done(const Status& done) { return done ? Result<int>(kExitGood) : done.error(); }

// The exit status.
Result<int> perform(const DockerOrder& order, const std::vector<std::string>& environment, Streams streams) {
  const auto loaded = load_config({.config_file = order.config_file, .environment = environment});
  // A file that is missing is as wrong as one that cannot be read: the command line named it.
  if (!loaded) return Error{Errc::invalid_argument, loaded.error().message};
  const environment::Packages packages(package_directory(loaded->config));
  if (order.verb == DockerVerb::versions) return exit_of_done(show_versions(order, packages, streams));
  if (order.verb == DockerVerb::rollback) return exit_of_done(roll_back(order, packages, streams));
  if (order.verb == DockerVerb::remove_package) return exit_of_done(remove_package(order, packages, streams));
  const auto docker = DockerProgram::find(environment);
  if (!docker) return docker.error();
  if (!docker->note().empty()) streams.err << printable(docker->note()) << std::endl;
  if (order.verb == DockerVerb::package) return package_environment(order, *docker, packages, streams);
  return exit_of_done(perform_here(order, loaded->config, packages, *docker, streams));
}

int run(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams,
        const std::string& program) {
  const auto fail = [&](const Error& error) {
    streams.err << program << ": " << printable(error.message) << std::endl;
    return exit_of(error.code);
  };
  const auto order = parse_docker_order(words);
  if (!order) return fail(order.error());
  if (order->verb == DockerVerb::show_help) {
    streams.out << docker_help();
  } else if (order->verb == DockerVerb::show_version) {
    streams.out << program << " " HAKURIVER_VERSION "\n";
  } else if (const auto done = perform(*order, environment, streams); !done || *done != kExitGood) {
    return done ? *done : fail(done.error());
  }
  streams.out.flush();
  return streams.out.good() ? kExitGood : kExitFailed;
}

}  // namespace

int docker_program(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams) {
  return run(words, environment, streams, "hakuriver.docker");
}

int docker_shell_program(std::span<const std::string> words, const std::vector<std::string>& environment,
                         Streams streams) {
  std::vector<std::string> all{"shell"};
  all.insert(all.end(), words.begin(), words.end());
  return run(all, environment, streams, "hakuriver.docker-shell");
}

}  // namespace hakuriver::cli
