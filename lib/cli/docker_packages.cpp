#include "cli/docker_packages.hpp"

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <utility>

#include "cli/client_words.hpp"
#include "cli/exit_status.hpp"
#include "cli/table.hpp"
#include "environment/packaging.hpp"
#include "wire/json_text.hpp"

namespace hakuriver::cli {
namespace {

using environment::Package;
using environment::Packages;
using environment::Packaging;

// Ctrl-C waits, so that we can tidy up. The programs that work for us get it as usual.
class HeldInterrupt {
 public:
  HeldInterrupt() {
    struct sigaction action {};
    ::sigaction(SIGINT, nullptr, &action);
    is_ignored_ = action.sa_handler == SIG_IGN;
    ::sigemptyset(&interrupt_);
    ::sigaddset(&interrupt_, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &interrupt_, &before_);
  }
  ~HeldInterrupt() {
    constexpr timespec kNow{};
    while (::sigtimedwait(&interrupt_, nullptr, &kNow) > 0) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  HeldInterrupt(const HeldInterrupt&) = delete;
  HeldInterrupt& operator=(const HeldInterrupt&) = delete;

  bool is_there() const {
    sigset_t waiting;
    return !is_ignored_ && ::sigpending(&waiting) == 0 && ::sigismember(&waiting, SIGINT) == 1;
  }
  Status check() const { return is_there() ? Status(Error{Errc::io, "interrupted"}) : Status(Unit{}); }

 private:
  sigset_t interrupt_{};
  sigset_t before_{};
  bool is_ignored_ = false;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// The entrypoint and the command of an image, as JSON.
Result<std::pair<std::string, std::string>> inspect_image(const DockerProgram& docker, const std::string& image) {
  const auto text =
      docker.ask({"image", "inspect", "--format", "{{json .Config.Entrypoint}}\n{{json .Config.Cmd}}", image});
  if (!text) return text.error();
  const auto end = std::min(text->find('\n'), text->size());
  return std::pair(text->substr(0, end), first_line(text->substr(std::min(end + 1, text->size()))));
}

Result<environment::Manifest> save(const DockerProgram& docker, const EnvironmentContainer& container,
                                   Packaging& packaging, const HeldInterrupt& interrupt, Streams streams) {
  const std::string image = image_of(packaging.key());
  const auto base = inspect_image(docker, container.image_id);
  if (!base) return base.error();
  streams.err << "committing " << container_of(container.name) << " as " << image << std::endl;
  // The daemon would finish it without the program, too, and then nobody would remove the image.
  const auto id = docker.ask(build_commit_words(container.name, image, base->first, base->second), true);
  if (!id) return id.error();
  if (auto stopped = interrupt.check(); !stopped) return stopped.error();
  streams.err << "saving " << image << std::endl;
  if (auto saved = docker.ask_into({"save", image}, packaging.descriptor()); !saved) return saved.error();
  streams.err << "checking what was saved" << std::endl;
  environment::Manifest facts;
  facts.image_id = first_line(*id);
  facts.base_image = container.image;
  return packaging.finish(std::move(facts), [&interrupt](std::string_view) { return interrupt.check(); });
}

std::map<std::string, std::vector<Package>> by_name(std::vector<Package> packages) {
  std::map<std::string, std::vector<Package>> names;
  for (auto& package : packages) names[package.key.name].push_back(std::move(package));
  return names;
}

// What new tasks get, or why they get nothing.
struct Current {
  std::optional<std::uint64_t> version{};
  std::string trouble{};
};

Current current_of(const Packages& packages, const std::string& name) {
  const auto current = packages.current(name);
  if (current) return {*current, {}};
  return {{}, "new tasks in '" + name + "' are refused: " + current.error().message};
}

std::string current_text(const Current& current) {
  if (!current.trouble.empty()) return "broken";
  return current.version ? std::to_string(*current.version) : "";
}

void tell(const std::vector<std::string>& troubles, Streams streams) {
  for (const auto& trouble : troubles) streams.err << printable(trouble) << std::endl;
}

struct Version {
  Package package;
  environment::Manifest manifest;  // empty where there is none
  bool is_current = false;
  std::string trouble{};
};

struct Versions {
  std::vector<Version> all{};
  std::vector<std::string> troubles{};
};

Result<Versions> versions_of(const Packages& packages, const std::string& name) {
  auto all = packages.list(name);
  if (!all) return all.error();
  Versions versions;
  for (auto& [each, own] : by_name(std::move(*all))) {
    const auto current = current_of(packages, each);
    if (!current.trouble.empty()) versions.troubles.push_back(current.trouble);
    for (auto package = own.rbegin(); package != own.rend(); ++package) {
      Version version{*package, {}, current.version == package->key.version, {}};
      const auto manifest = packages.manifest(package->key);
      if (!manifest) version.trouble = "its manifest cannot be read";
      if (manifest && !*manifest) version.trouble = "without a manifest";
      if (manifest && *manifest) version.manifest = **manifest;
      versions.all.push_back(std::move(version));
    }
  }
  return versions;
}

void append_version(std::string& out, const Version& version) {
  wire::ObjectWriter object(out, wire::NotUtf8::replace);
  object.text("name", version.package.key.name);
  object.number("version", version.package.key.version);
  object.flag("current", version.is_current);
  object.number("size", version.package.size);
  object.text_or_null("created", version.manifest.created);
  object.text_or_null("base_image", version.manifest.base_image);
  object.text_or_null("sha256", version.manifest.sha256);
  object.close();
}

std::string date_of(std::uint64_t version) {
  return to_iso8601({static_cast<std::int64_t>(std::min<std::uint64_t>(version, 253'402'300'799)) * 1'000'000})
             .substr(0, 19) +
         "Z";
}

void print_json(Streams streams, const PackageKey& key, std::string_view state) {
  std::string out;
  wire::ObjectWriter object(out);
  object.text("name", key.name);
  object.number("version", key.version);
  object.text("state", state);
  object.close();
  streams.out << out << "\n";
}

}  // namespace

Result<int> package_environment(const DockerOrder& order, const DockerProgram& docker, const Packages& packages,
                                Streams streams) {
  const HeldInterrupt interrupt;
  const auto container = docker.inspect(order.name);
  if (!container) return interrupt.is_there() ? Result<int>(exit_of_signal(SIGINT)) : container.error();
  auto packaging = Packaging::begin(packages, order.name, utc_now());
  if (!packaging) return packaging.error();
  const std::string image = image_of(packaging->key());
  const auto made = save(docker, *container, *packaging, interrupt, streams);
  if (!made) {
    static_cast<void>(docker.ask({"image", "rm", image}, true));
    const std::string what = "environment '" + order.name + "' is not packaged: ";
    if (!interrupt.is_there()) return Error{made.error().code, what + made.error().message};
    streams.err << what << "interrupted" << std::endl;
    return exit_of_signal(SIGINT);
  }
  streams.err << packages.tar_path(made->key) << ": " << short_bytes(made->size) << std::endl;
  if (order.is_json) {
    std::string out;
    append_version(out, {{made->key, made->size}, *made, true, {}});
    streams.out << out << "\n";
  } else {
    streams.out << made->key.version << "\n";
  }
  return kExitGood;
}

Status show_versions(const DockerOrder& order, const Packages& packages, Streams streams) {
  const auto versions = versions_of(packages, order.name);
  if (!versions) return versions.error();
  tell(versions->troubles, streams);
  if (order.is_json) {
    std::string out;
    wire::append_array(out, versions->all, append_version);
    streams.out << out << "\n";
    return Unit{};
  }
  if (versions->all.empty()) {
    return Error{Errc::not_found, order.name.empty() ? "nothing is packaged in '" + packages.directory() + "'"
                                                     : "environment '" + order.name + "' is not packaged"};
  }
  Table table({{.heading = "NAME"},
               {.heading = "VERSION", .is_right = true},
               {.heading = "MADE"},
               {.heading = "SIZE", .is_right = true},
               {.heading = "FROM", .shrinks = true},
               {.heading = ""}});
  for (const auto& version : versions->all) {
    const auto& key = version.package.key;
    const std::string note = version.is_current ? "current" : "";
    table.add({{key.name},
               {std::to_string(key.version)},
               {date_of(key.version)},
               {short_bytes(version.package.size)},
               {version.manifest.base_image},
               {note + (note.empty() || version.trouble.empty() ? "" : ", ") + version.trouble,
                version.is_current ? Tone::good : Tone::plain}});
  }
  streams.out << table.render(look_of_output());
  return Unit{};
}

Status roll_back(const DockerOrder& order, const Packages& packages, Streams streams) {
  const auto all = packages.list(order.name);
  if (!all) return all.error();
  if (all->empty()) return Error{Errc::not_found, "environment '" + order.name + "' is not packaged"};
  auto version = order.version;
  if (!version) {
    const auto current = current_of(packages, order.name);
    if (!current.trouble.empty()) return Error{Errc::conflict, current.trouble + "; name the version that they get"};
    for (const auto& package : *all) {
      if (current.version && package.key.version < *current.version) version = package.key.version;
    }
    if (!version) {
      return Error{Errc::not_found, "environment '" + order.name + "' has no package before its current one"};
    }
  }
  const PackageKey key{order.name, *version};
  if (auto changed = packages.make_current(key); !changed) return changed;
  if (order.is_json) {
    print_json(streams, key, "current");
  } else {
    streams.out << "new tasks in '" << order.name << "' get version " << *version << "\n";
  }
  return Unit{};
}

Status remove_package(const DockerOrder& order, const Packages& packages, Streams streams) {
  const PackageKey key{order.name, *order.version};
  if (auto removed = packages.remove(key, order.is_forced); !removed) return removed;
  if (order.is_json) {
    print_json(streams, key, "deleted");
  } else {
    streams.out << "package '" << to_string(key) << "' is deleted\n";
  }
  return Unit{};
}

Status list_environments(const DockerOrder& order, const DockerProgram& docker, const Packages& packages,
                         Streams streams) {
  const auto containers = docker.list();
  if (!containers) return containers.error();
  auto all = packages.list();
  if (!all) return all.error();
  auto packaged = by_name(std::move(*all));
  std::map<std::string, EnvironmentContainer> names;
  for (const auto& [name, versions] : packaged) names[name].name = name;
  for (const auto& container : *containers) names[container.name] = container;
  std::vector<std::string> troubles;
  std::string json = "[";
  Table table({{.heading = "NAME"},
               {.heading = "CONTAINER"},
               {.heading = "IMAGE", .shrinks = true},
               {.heading = "CURRENT", .is_right = true},
               {.heading = "PACKAGES", .is_right = true}});
  for (const auto& [name, container] : names) {
    const auto current = current_of(packages, name);
    if (!current.trouble.empty()) troubles.push_back(current.trouble);
    if (json.size() > 1) json += ",";
    wire::ObjectWriter object(json, wire::NotUtf8::replace);
    object.text("name", name);
    object.text_or_null("container", container.state.empty() ? "" : container_of(name));
    object.text_or_null("state", container.state);
    object.text_or_null("image", container.image);
    current.version ? object.number("current", *current.version) : object.null("current");
    object.text_or_null("trouble", current.trouble);
    wire::append_array(object.member("versions"), packaged[name],
                       [](std::string& out, const Package& it) { wire::append_number(out, it.key.version); });
    object.close();
    table.add({{name},
               {container.state.empty() ? "none here" : container.state},
               {container.image},
               {current_text(current)},
               {std::to_string(packaged[name].size())}});
  }
  tell(troubles, streams);
  streams.out << (order.is_json ? json + "]\n" : table.render(look_of_output()));
  return Unit{};
}

}  // namespace hakuriver::cli
