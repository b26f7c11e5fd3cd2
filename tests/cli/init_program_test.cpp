#include "cli/init_program.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <sstream>
#include <string>
#include <vector>

#include "hakuriver/config.hpp"
#include "support/scratch_directory.hpp"

namespace hakuriver::cli {
namespace {

using test::contents_of;
using test::ScratchDirectory;

struct Run {
  int exit = 0;
  std::string out;
  std::string err;
};

Run init(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
  std::ostringstream out;
  std::ostringstream err;
  const int exit = init_program(words, environment, {out, err});
  return {exit, out.str(), err.str()};
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

TEST_CASE("init writes the default configuration and a secret token") {
  const ScratchDirectory home;
  CHECK(init({}, {"HOME=" + home.path()}).exit == 0);
  CHECK(contents_of(home / ".hakuriver/config.toml") == default_config_text());
  CHECK(contents_of(home / ".hakuriver/token").size() == 65);
  CHECK(mode_of(home / ".hakuriver/token") == 0600);
  CHECK(mode_of(home / ".hakuriver") == 0700);
}

TEST_CASE("a second init changes nothing and says so, whatever is in the files") {
  const ScratchDirectory home;
  REQUIRE(init({}, {"HOME=" + home.path()}).exit == 0);
  home.write(".hakuriver/config.toml", "[broken");
  const std::string token = contents_of(home / ".hakuriver/token");
  const auto again = init({}, {"HOME=" + home.path()});
  CHECK(again.exit == 0);
  CHECK(again.out.find("stays as it is") != std::string::npos);
  CHECK(contents_of(home / ".hakuriver/config.toml") == "[broken");
  CHECK(contents_of(home / ".hakuriver/token") == token);
}

TEST_CASE("init goes where HAKURIVER_HOME says, and --output and --print write no token") {
  const ScratchDirectory home;
  const std::vector<std::string> environment{"HOME=/nonexistent", "HAKURIVER_HOME=" + home.path()};
  CHECK(init({"--output", home / "x.toml"}, environment).exit == 0);
  CHECK(contents_of(home / "x.toml") == default_config_text());
  CHECK(init({"--print"}, environment).out == default_config_text());
  CHECK(mode_of(home / "token") == 0);
  CHECK(init({}, environment).exit == 0);
  CHECK(mode_of(home / "token") == 0600);
}

TEST_CASE("init makes the token where a configuration that is there says") {
  const ScratchDirectory home;
  const std::vector<std::string> environment{"HOME=" + home.path()};
  const std::string file = home.write("c.toml", "[security]\ntoken_file = 'secret'\n");
  CHECK(init({"--config", file}, environment).exit == 0);
  CHECK(mode_of(home / "secret") == 0600);
  CHECK(mode_of(home / ".hakuriver") == 0);
  const auto missing = init({"--config", home / "nope.toml"}, environment);
  CHECK(missing.exit == 2);
  CHECK(missing.err.find("nope.toml") != std::string::npos);
  CHECK(init({"--config", file, "--output", file}, environment).exit == 2);
}

TEST_CASE("init refuses what it does not understand") {
  CHECK(init({"--prin"}, {}).exit == 2);
  CHECK(init({"extra"}, {}).exit == 2);
  CHECK(init({"--help"}, {}).out.starts_with("Examples:"));
}

}  // namespace
}  // namespace hakuriver::cli
