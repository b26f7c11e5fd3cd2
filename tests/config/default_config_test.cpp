#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "config/schema.hpp"
#include "hakuriver/config.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::contents_of;
using hakuriver::test::ScratchDirectory;

namespace {

Result<LoadedConfig> load_from(const ScratchDirectory& scratch, std::string_view text) {
  scratch.write("home/.hakuriver/config.toml", text);
  return load_config({.environment = {"HOME=" + (scratch / "home")}});
}

bool is_commented_key(std::string_view line) {
  if (line.substr(0, 2) != "# ") return false;
  const auto equals = line.find(" = ");
  return equals != std::string_view::npos && line.substr(2, equals - 2).find(' ') == std::string_view::npos;
}

// The lines "# key = value" become "key = value".
std::string with_every_key(std::string_view text) {
  std::string all;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    all += std::string(is_commented_key(line) ? line.substr(2) : line) + "\n";
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return all;
}

}  // namespace

TEST_CASE("the default configuration is the file of the repository, byte for byte") {
  CHECK(!default_config_text().empty());
  CHECK(default_config_text() == contents_of(HAKURIVER_DEFAULT_CONFIG));
}

TEST_CASE("the default configuration says what holds without it") {
  const ScratchDirectory scratch;
  const auto without = load_config({.environment = {"HOME=" + (scratch / "home")}});
  REQUIRE(without);
  CHECK(without->file.empty());
  const auto with = load_from(scratch, default_config_text());
  REQUIRE_MESSAGE(with, with.error().message);
  CHECK(with->file == scratch / "home/.hakuriver/config.toml");
  CHECK(with->warnings.empty());
  CHECK(with->config == without->config);
}

TEST_CASE("every key is in the default configuration once, in its section, with a comment above its group") {
  std::map<std::string, int> seen;
  std::string section;
  const std::string all = with_every_key(default_config_text());
  for (std::size_t at = 0; at < all.size();) {
    const std::string line = all.substr(at, all.find('\n', at) - at);
    at += line.size() + 1;
    if (line.substr(0, 1) == "[") section = line.substr(1, line.size() - 2);
    const auto equals = line.find(" = ");
    if (!line.empty() && line[0] != '#' && equals != std::string::npos) ++seen[section + "." + line.substr(0, equals)];
  }
  for (const auto& key : config::keys()) {
    CAPTURE(config::full_name(key));
    CHECK(seen[config::full_name(key)] == 1);
  }
  CHECK(seen.size() == config::keys().size());
}

TEST_CASE("the lines that are commented out can be taken in") {
  const ScratchDirectory scratch;
  const auto loaded = load_from(scratch, with_every_key(default_config_text()));
  REQUIRE_MESSAGE(loaded, loaded.error().message);
  CHECK(loaded->warnings.empty());
  const Config& config = loaded->config;
  CHECK(config.network.runner_port == 8001);
  CHECK(config.network.runner_address == "127.0.1.1");
  CHECK(config.paths.shared_dir == scratch / "home/.hakuriver/shared");
  CHECK(config.runner.millicores == 8000);
  CHECK(config.runner.memory_bytes == std::uint64_t{16} << 30);
  CHECK(config.runner.max_tasks == 128);
}
