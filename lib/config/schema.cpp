#include "config/schema.hpp"

#include <algorithm>
#include <numeric>

namespace hakuriver::config {
namespace {

constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kYear = 365 * 24 * kHour;

// The key of Config::section::name, and another member for it where the name would not say the unit.
#define HAKURIVER_KEY_AS(section, name, member) \
#section, name, [](Config & config) -> Slot { return &config.section.member; }
#define HAKURIVER_KEY(section, member) HAKURIVER_KEY_AS(section, #member, member)

constexpr Key kKeys[] = {
    {HAKURIVER_KEY(network, host_bind_ip), Kind::ip_address},
    {HAKURIVER_KEY(network, host_port), Kind::whole, 0, 65535},
    {HAKURIVER_KEY(network, host_reachable_address), Kind::host, 1},
    {HAKURIVER_KEY(network, host_url), Kind::url, 0, 0, "", "HAKURIVER_HOST"},
    {HAKURIVER_KEY(network, runner_address), Kind::host},
    {HAKURIVER_KEY(network, runner_port), Kind::whole, 0, 65535},
    {HAKURIVER_KEY(network, host_ssh_proxy_port), Kind::whole, 0, 65535, "", "", false},

    {HAKURIVER_KEY(paths, shared_dir), Kind::path},
    {HAKURIVER_KEY(paths, local_temp_dir), Kind::path},
    {HAKURIVER_KEY(paths, numactl_path), Kind::program},
    {HAKURIVER_KEY(paths, host_log_file), Kind::path},
    {HAKURIVER_KEY(paths, runner_log_file), Kind::path},
    {HAKURIVER_KEY(paths, state_dir), Kind::path},

    {HAKURIVER_KEY(database, db_file), Kind::path},
    {HAKURIVER_KEY(database, keep_finished), Kind::duration, 0, 100 * kYear},

    {HAKURIVER_KEY(timing, heartbeat_interval), Kind::duration, 100, kHour},
    {HAKURIVER_KEY(timing, heartbeat_timeout_factor), Kind::whole, 1, 1000},
    {HAKURIVER_KEY(timing, cleanup_check_interval), Kind::duration, 100, 24 * kHour},
    {HAKURIVER_KEY(timing, resource_check_interval), Kind::duration, 100, kHour},
    {HAKURIVER_KEY(timing, forget_after), Kind::duration, 1000, 100 * kYear},
    {HAKURIVER_KEY(timing, kill_grace), Kind::duration, 0, 24 * kHour},

    {HAKURIVER_KEY(environment, runner_user), Kind::text},
    {HAKURIVER_KEY(environment, allowed_users), Kind::list},

    {HAKURIVER_KEY(docker, container_dir), Kind::text},
    {HAKURIVER_KEY(docker, default_container_name), Kind::text},
    {HAKURIVER_KEY(docker, initial_base_image), Kind::text},
    {HAKURIVER_KEY(docker, keep_versions), Kind::whole, 0, 1'000'000},
    {HAKURIVER_KEY(docker, tasks_privileged), Kind::yes_no},
    {HAKURIVER_KEY(docker, additional_mounts), Kind::list},
    {HAKURIVER_KEY(docker, allow_privileged), Kind::yes_no},
    {HAKURIVER_KEY(docker, allow_mounts), Kind::list},

    {HAKURIVER_KEY(runner, name), Kind::node_name},
    {HAKURIVER_KEY_AS(runner, "cores", millicores), Kind::cores},
    {HAKURIVER_KEY_AS(runner, "memory", memory_bytes), Kind::memory},
    {HAKURIVER_KEY(runner, max_tasks), Kind::whole, 1, 1'000'000},
    {HAKURIVER_KEY(runner, launcher), Kind::choice, 0, 0, "auto systemd docker cgroup plain none"},

    {HAKURIVER_KEY(security, auth), Kind::choice, 0, 0, "token none"},
    {HAKURIVER_KEY(security, token_file), Kind::path, 0, 0, "", "HAKURIVER_TOKEN_FILE"},
    {HAKURIVER_KEY(security, allowed_hosts), Kind::list},
    {HAKURIVER_KEY(security, allowed_origins), Kind::list},
    {HAKURIVER_KEY(security, tls_certificate), Kind::path, 0, 0, "", "", false},
    {HAKURIVER_KEY(security, tls_key), Kind::path, 0, 0, "", "", false},
};

#undef HAKURIVER_KEY
#undef HAKURIVER_KEY_AS

// How many single letters must be added, dropped or changed to make one word of the other (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool is_near(std::size_t letters, std::string_view wanted) {
  return letters <= std::max<std::size_t>(1, wanted.size() / 3);
}

// Names longer than any key are no misspelling of one, and would cost time.
constexpr std::size_t kMaxGuess = 64;

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return result;
}

}  // namespace

std::span<const Key> keys() noexcept { return kKeys; }

const Key* find_key(std::string_view section, std::string_view name) noexcept {
  const auto* found = std::find_if(std::begin(kKeys), std::end(kKeys),
                                   [&](const Key& key) { return key.section == section && key.name == name; });
  return found == std::end(kKeys) ? nullptr : found;
}

bool is_section(std::string_view name) noexcept {
  return std::any_of(std::begin(kKeys), std::end(kKeys), [&](const Key& key) { return key.section == name; });
}

std::string full_name(const Key& key) { return std::string(key.section) + "." + std::string(key.name); }

std::string variable_name(const Key& key) { return "HAKURIVER_" + upper(key.section) + "_" + upper(key.name); }

std::string suggest_key(std::string_view section, std::string_view name) {
  const Key* best = nullptr;
  std::size_t least = kMaxGuess;
  for (const Key& key : kKeys) {
    if (name.size() > kMaxGuess) break;
    // A key of the same section is the likelier one.
    const std::size_t letters = distance(name, key.name);
    const std::size_t cost = 2 * letters + (key.section == section ? 0 : 1);
    if (is_near(letters, key.name) && cost < least) {
      least = cost;
      best = &key;
    }
  }
  if (best != nullptr) return ": did you mean " + std::string(best->name) + " in [" + std::string(best->section) + "]?";
  std::string known;
  for (const Key& key : kKeys) {
    if (key.section == section) known += (known.empty() ? "" : ", ") + std::string(key.name);
  }
  return known.empty() ? "" : ": expected one of " + known;
}

std::string suggest_section(std::string_view name) {
  std::string known;
  for (const Key& key : kKeys) {
    const std::string section(key.section);
    if (name.size() <= kMaxGuess && is_near(distance(name, section), section))
      return ": did you mean [" + section + "]?";
    if (known.find(section) == std::string::npos) known += (known.empty() ? "" : ", ") + section;
  }
  return ": expected one of " + known;
}

}  // namespace hakuriver::config
