#include "cli/init_service.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "cli/init_program.hpp"
#include "platform/identity.hpp"
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

Run service(std::vector<std::string> words, const std::vector<std::string>& environment) {
  words.insert(words.begin(), "service");
  std::ostringstream out;
  std::ostringstream err;
  const int exit = init_program(words, environment, {out, err});
  return {exit, out.str(), err.str()};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool has_line(const std::string& text, const std::string& line) { return has("\n" + text, "\n" + line + "\n"); }

TEST_CASE("words of unit files are quoted as systemd.syntax says") {
  CHECK(unit_word("/usr/bin/x", true) == "/usr/bin/x");
  CHECK(unit_word("", true) == "\"\"");
  CHECK(unit_word("/a b/c", true) == "\"/a b/c\"");
  CHECK(unit_word("50%", true) == "50%%");
  CHECK(unit_word("$x", true) == "$$x");
  CHECK(unit_word("$x", false) == "$x");
  CHECK(unit_word("a\"b\\c", false) == "\"a\\\"b\\\\c\"");
  CHECK(unit_word("a\nb", false) == "\"a\\x0ab\"");
}

TEST_CASE("unit files name the programs absolutely and the directory that init would use") {
  const ScratchDirectory home;
  const auto run = service({"--all", "--output", home.path()}, {"HOME=" + home.path()});
  CHECK(run.exit == 0);
  CHECK(run.err.empty());
  const auto directory = platform::executable_directory();
  REQUIRE(directory);
  const std::string host = contents_of(home / "hakuriver-host.service");
  const std::string runner = contents_of(home / "hakuriver-runner.service");
  CHECK(has_line(host, "ExecStart=" + *directory + "/hakuriver.host"));
  CHECK(has_line(runner, "ExecStart=" + *directory + "/hakuriver.runner"));
  for (const auto& unit : {host, runner}) {
    CHECK(has_line(unit, "Environment=HAKURIVER_HOME=" + home.path() + "/.hakuriver"));
    CHECK(has_line(unit, "Restart=on-failure"));
    CHECK(has_line(unit, "WantedBy=multi-user.target"));
    CHECK_FALSE(has(unit, "@"));
  }
  for (const auto* line : {"KillMode=process", "OOMPolicy=continue", "TasksMax=infinity", "Delegate=yes"})
    CHECK(has_line(runner, line));
}

TEST_CASE("a configuration named is read, made absolute and given to the programs") {
  const ScratchDirectory home;
  home.write("my config.toml", "[network]\nhost_port = 1234\n");
  const std::string file = home / "my config.toml";
  const auto run = service({"--host", "--print", "--config", file}, {"HOME=" + home.path()});
  CHECK(run.exit == 0);
  CHECK(run.out.starts_with("# /etc/systemd/system/hakuriver-host.service\n"));
  CHECK(has(run.out, "/hakuriver.host --config \"" + file + "\"\n"));
  CHECK_FALSE(has(run.out, "hakuriver.runner"));
  home.write("my config.toml", "[network]\nhost_prt = 1234\n");
  const auto broken = service({"--host", "--print", "--config", file}, {"HOME=" + home.path()});
  CHECK(broken.exit == 2);
  CHECK(broken.out.empty());
  CHECK(has(broken.err, "host_prt"));
}

TEST_CASE("a unit file that was changed is replaced only by force, one that is the same stays") {
  const ScratchDirectory home;
  const std::vector<std::string> environment{"HOME=" + home.path()};
  const std::vector<std::string> words{"--runner", "--output", home.path()};
  REQUIRE(service(words, environment).exit == 0);
  const std::string written = contents_of(home / "hakuriver-runner.service");
  const auto again = service(words, environment);
  CHECK(again.exit == 0);
  CHECK(has(again.out, "stays as it is"));
  home.write("hakuriver-runner.service", "[Service]\n");
  const auto refused = service(words, environment);
  CHECK(refused.exit == 4);
  CHECK(has(refused.err, "--force"));
  CHECK(contents_of(home / "hakuriver-runner.service") == "[Service]\n");
  CHECK(service({"--runner", "--output", home.path(), "--force"}, environment).exit == 0);
  CHECK(contents_of(home / "hakuriver-runner.service") == written);
}

TEST_CASE("units of a user are written where the user's systemd looks, and how to start them is said") {
  const ScratchDirectory home;
  const auto run = service({"--host", "--user"}, {"HOME=" + home.path()});
  CHECK(run.exit == 0);
  CHECK(has_line(contents_of(home / ".config/systemd/user/hakuriver-host.service"), "WantedBy=default.target"));
  CHECK(has(run.out, "systemctl --user enable --now hakuriver-host.service\n"));
}

TEST_CASE("what makes no sense is refused in one line, and nothing is written") {
  const ScratchDirectory home;
  const std::vector<std::vector<std::string>> cases{
      {}, {"--hots"}, {"--host", "x"}, {"--host", "--print", "--enable"}, {"--host", "--output"}};
  for (const auto& words : cases) {
    const auto run = service(words, {"HOME=" + home.path()});
    CHECK(run.exit == 2);
    CHECK(run.out.empty());
    CHECK(run.err.find('\n') == run.err.size() - 1);
  }
  CHECK(service({"--host", "--output", home / "missing"}, {"HOME=" + home.path()}).exit == 3);
  CHECK(service({"--host", "--user"}, {"HAKURIVER_HOME=" + home.path()}).exit == 2);
}

}  // namespace
}  // namespace hakuriver::cli
