#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "config/file_text.hpp"
#include "config/schema.hpp"
#include "config/setting.hpp"
#include "config/toml_file.hpp"
#include "hakuriver/config.hpp"

namespace hakuriver {
namespace config {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

// The first of that name, as getenv has it; none where it is empty or missing.
std::optional<std::string> variable_of(const std::vector<std::string>& environment, std::string_view name) {
  for (const auto& entry : environment) {
    if (entry.size() > name.size() + 1 && entry[name.size()] == '=' && entry.compare(0, name.size(), name) == 0) {
      return entry.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

// Services of the system are often started without HOME.
std::string home_of_user() {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> text(65536);
  if (::getpwuid_r(::geteuid(), &entry, text.data(), text.size(), &found) != 0 || found == nullptr) return "";
  return entry.pw_dir;
}

PathBase working_base(const std::vector<std::string>& environment) {
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  return {failed ? "/" : directory.string(), variable_of(environment, "HOME").value_or(home_of_user())};
}

Result<std::string> home_of(const std::vector<std::string>& environment, const PathBase& base) {
  if (const auto home = variable_of(environment, "HAKURIVER_HOME")) {
    auto resolved = resolve_path(*home, base);
    return resolved ? resolved
                    : Result<std::string>(Error{resolved.error().code, "HAKURIVER_HOME: " + resolved.error().message});
  }
  if (base.home_directory.empty())
    return Error{Errc::not_found, "the home directory is not known: expected HAKURIVER_HOME or HOME to be set"};
  return resolve_path("~/.hakuriver", base);
}

class Loader {
 public:
  Loader(const ConfigSources& sources, PathBase base, std::string home)
      : sources_(sources), base_(std::move(base)), loaded_{{}, {}, std::move(home), {}} {}

  Result<LoadedConfig> load() {
    for (const auto step : {&Loader::load_file, &Loader::load_environment, &Loader::load_flags, &Loader::complete}) {
      if (const auto done = (this->*step)(); !done) return done.error();
    }
    return std::move(loaded_);
  }

 private:
  Status load_file() {
    const auto variable = variable_of(sources_.environment, "HAKURIVER_CONFIG");
    const bool is_default = sources_.config_file.empty() && !variable;
    const std::string given =
        !sources_.config_file.empty() ? sources_.config_file : variable.value_or(loaded_.home + "/config.toml");
    const auto path = resolve_path(given, base_);
    if (!path) return path.error();
    const auto text = read_text(*path, kMaxFile);
    if (!text && is_default && text.error().code == Errc::not_found) return Unit{};
    if (!text) return Error{text.error().code, "configuration: " + text.error().message};
    loaded_.file = *path;
    const auto settings = parse_toml(*text, given);
    if (!settings) return settings.error();
    const PathBase base{std::filesystem::path(*path).parent_path().string(), base_.home_directory};
    for (const auto& setting : *settings) {
      const auto applied = apply_file_setting(setting, given + ":" + std::to_string(setting.line) + ": ", base);
      if (!applied) return applied.error();
    }
    return Unit{};
  }

  Status apply_file_setting(const Setting& setting, const std::string& where, const PathBase& base) {
    if (setting.section.empty() && !setting.is_header) {
      if (is_section(setting.name))
        return Error{Errc::parse, where + quote(setting.name) + " is a section: expected [" + setting.name + "]"};
      return Error{Errc::parse, where + "unknown key " + quote(setting.name) + " outside of any section" +
                                    suggest_key("", setting.name)};
    }
    if (!is_section(setting.section)) {
      return Error{Errc::parse, where + "unknown section " + quote(setting.section) + suggest_section(setting.section)};
    }
    if (setting.is_header) return Unit{};
    const Key* key = find_key(setting.section, setting.name);
    if (key == nullptr) {
      return Error{Errc::parse, where + "unknown key " + quote(setting.name) + " in [" + setting.section + "]" +
                                    suggest_key(setting.section, setting.name)};
    }
    return apply(*key, setting.value, base, where + full_name(*key) + ": ", where);
  }

  Status load_environment() {
    for (const Key& key : keys()) {
      for (const std::string& name : {std::string(key.variable), variable_name(key)}) {
        const auto text = name.empty() ? std::nullopt : variable_of(sources_.environment, name);
        if (!text) continue;
        if (const auto applied = apply_text(key, *text, name + ": "); !applied) return applied.error();
      }
    }
    return Unit{};
  }

  Status load_flags() {
    for (const auto& flag : sources_.flags) {
      const auto dot = flag.key.find('.');
      const Key* key = dot == std::string::npos ? nullptr : find_key(flag.key.substr(0, dot), flag.key.substr(dot + 1));
      if (key == nullptr)
        return Error{Errc::invalid_argument, flag.flag + ": " + quote(flag.key) + " is not a key of the configuration"};
      if (const auto applied = apply_text(*key, flag.text, flag.flag + ": "); !applied) return applied.error();
    }
    return Unit{};
  }

  Status apply_text(const Key& key, const std::string& text, const std::string& where) {
    auto given = read_setting(key, text);
    if (!given) return Error{given.error().code, where + given.error().message};
    return apply(key, *given, base_, where, where);
  }

  Status apply(const Key& key, const Given& given, const PathBase& base, const std::string& error_prefix,
               const std::string& where) {
    const auto applied = apply_setting(key, given, base, loaded_.config);
    if (!applied) return Error{applied.error().code, error_prefix + applied.error().message};
    if (is_without_effect(key, loaded_.config))
      loaded_.warnings.push_back(where + full_name(key) + " is accepted and has no effect yet");
    return Unit{};
  }

  Status complete() {
    Config& config = loaded_.config;
    const auto default_to = [this](std::string& path, const char* name) {
      if (path.empty()) path = loaded_.home + name;
    };
    default_to(config.paths.shared_dir, "/shared");
    default_to(config.paths.local_temp_dir, "/tmp");
    default_to(config.paths.state_dir, "/state");
    default_to(config.database.db_file, "/hakuriver.db");
    default_to(config.security.token_file, "/token");
    std::string& url = config.network.host_url;
    if (url.empty()) {
      const std::string& host = config.network.host_reachable_address;
      const bool is_ipv6 = host.find(':') != std::string::npos;
      url = "http://" + (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(config.network.host_port);
    }
    if (url.back() == '/') url.pop_back();
    if (config.security.tls_certificate.empty() != config.security.tls_key.empty()) {
      return Error{Errc::parse, "security.tls_certificate and security.tls_key: expected both or neither to be set"};
    }
    return Unit{};
  }

  const ConfigSources& sources_;
  const PathBase base_;
  LoadedConfig loaded_;
};

}  // namespace
}  // namespace config

inline namespace v1 {

Result<LoadedConfig> load_config(const ConfigSources& sources) {
  const auto base = config::working_base(sources.environment);
  auto home = config::home_of(sources.environment, base);
  if (!home) return home.error();
  return config::Loader(sources, base, std::move(*home)).load();
}

}  // namespace v1
}  // namespace hakuriver
