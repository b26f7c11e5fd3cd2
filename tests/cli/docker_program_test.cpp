#include "cli/docker_program.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <sstream>

#include "cli/docker_containers.hpp"
#include "cli/exit_status.hpp"
#include "platform/files.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::cli;
using namespace hakuriver::test;

namespace {

struct Ran {
  int status = -1;
  std::string output{};
  std::string errors{};
};

struct Place {
  ScratchDirectory directory;
  std::vector<std::string> environment{"PATH=" + (directory / "bin"), "HAKURIVER_HOME=" + directory.path()};

  // A program that fails with that line, or else answers.
  void put(const std::string& program, const std::string& error) const {
    const std::string script = error.empty() ? "exit 0" : "echo '" + error + "' >&2\nexit 1";
    const std::string path = directory.write("bin/" + program, "#!/bin/sh\n" + script + "\n");
    ::chmod(path.c_str(), 0755);
  }
  void put_package(const std::string& file, const std::string& content) const {
    directory.write("shared/hakuriver-containers/" + file, content);
  }
  Ran run(const std::vector<std::string>& words) const {
    std::ostringstream out;
    std::ostringstream err;
    const int status = docker_program(words, environment, {out, err});
    return {status, out.str(), err.str()};
  }
  bool has_found_podman() const {
    const auto found = DockerProgram::find(environment);
    return found && found->argv({"ps"})[0] == directory / "bin/podman";
  }
};

constexpr const char* kAbsent =
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";

TEST_CASE("podman takes the place of a docker that is not there or has no daemon, and says so") {
  Place place;
  place.put("podman", "");
  CHECK(place.has_found_podman());
  CHECK(DockerProgram::find(place.environment)->note().empty());
  place.put("docker", kAbsent);
  CHECK(place.has_found_podman());
  CHECK(DockerProgram::find(place.environment)->note().find("podman is used") != std::string::npos);
  CHECK(place.run({"list"}).errors.find("podman is used") != std::string::npos);
  place.put("podman", "broken");
  CHECK(DockerProgram::find(place.environment).error().message == "docker: " + std::string(kAbsent));
}

TEST_CASE("podman does not take the place of a docker that refuses us or was told where its daemon is") {
  Place place;
  place.put("podman", "");
  const char* const refused = "permission denied while trying to connect to the Docker daemon socket at unix:///x: Get";
  for (const std::string reason : {refused, "Cannot connect to the Docker daemon at tcp://far:1. Is it running?",
                                   "context \"far\": context not found"}) {
    place.put("docker", reason);
    const auto ran = place.run({"list"});
    CHECK(ran.status == kExitUnreachable);
    CHECK(ran.errors == "hakuriver.docker: docker: " + reason + "\n");
    CHECK(ran.output.empty());
  }
  place.put("docker", kAbsent);
  place.environment.emplace_back("DOCKER_HOST=unix:///var/run/docker.sock");
  CHECK_FALSE(DockerProgram::find(place.environment));
  std::filesystem::remove(place.directory / "bin/docker");
  CHECK(DockerProgram::find(place.environment).error().message.find("DOCKER_HOST") != std::string::npos);
}

// A docker with one environment, "a", which does that instead of saving an image; what it does else is in "bin/log".
void put_docker(const Place& place, const std::string& save) {
  const std::string path = place.directory.write("bin/docker", R"(#!/bin/sh
echo "$@" >> "${0%/*}/log"
case $1 in
  container) printf 'hakuriver-env-a\trunning\tbase:1\tsha256:1\ta\n';;
  image) printf 'null\nnull\n';;
  commit) echo sha256:2;;
  save) )" + save + ";;\nesac\n");
  ::chmod(path.c_str(), 0755);
}

std::string log_of(const Place& place) { return *platform::read_file(place.directory / "bin/log", 1 << 20); }

TEST_CASE("a package is what docker saves, under the name of its version only") {
  const Place place;
  put_docker(place, "echo image");
  const auto ran = place.run({"package", "a"});
  REQUIRE(ran.status == kExitGood);
  const std::string version = ran.output.substr(0, ran.output.find('\n'));
  const std::string tar = place.directory / ("shared/hakuriver-containers/a-" + version + ".tar");
  CHECK(*platform::read_file(tar, 100) == "image\n");
  CHECK(log_of(place).find("save hakuriver/a:" + version) != std::string::npos);
  CHECK(log_of(place).find("base\n") == std::string::npos);
  CHECK(log_of(place).find("image rm") == std::string::npos);
}

TEST_CASE("what cannot be saved is not packaged, and its image is removed") {
  const Place place;
  for (const std::string save : {"echo half; echo no space >&2; exit 1", "true", "kill -9 $$"}) {
    CAPTURE(save);
    put_docker(place, save);
    const auto ran = place.run({"package", "a"});
    CHECK(ran.status == kExitFailed);
    CHECK(ran.output.empty());
    CHECK(ran.errors.find("environment 'a' is not packaged: ") != std::string::npos);
    CHECK(log_of(place).find("image rm hakuriver/a:") != std::string::npos);
    CHECK(place.run({"versions", "a"}).status == kExitNotFound);
  }
}

TEST_CASE("Ctrl-C ends a packaging with exit status 130, and its image is removed") {
  const Place place;
  struct sigaction usual {};
  struct sigaction before {};
  usual.sa_handler = SIG_DFL;
  ::sigaction(SIGINT, &usual, &before);
  put_docker(place, "echo whole; kill -INT $PPID");
  const auto ran = place.run({"package", "a"});
  ::sigaction(SIGINT, &before, nullptr);
  CHECK(ran.status == exit_of_signal(SIGINT));
  CHECK(ran.errors.find("environment 'a' is not packaged: interrupted\n") != std::string::npos);
  CHECK(log_of(place).find("image rm hakuriver/a:") != std::string::npos);
  CHECK(place.run({"versions", "a"}).status == kExitNotFound);
}

TEST_CASE("a current version that is gone or garbage is told, not hidden") {
  Place place;
  place.put("docker", "");
  for (const auto& [content, told] :
       {std::pair{"8\n", "package 'a@8' is not in"}, {"x\n", "does not hold a version"}}) {
    place.put_package("a-5.tar", "x");
    place.put_package("a.current", content);
    const auto versions = place.run({"versions", "a"});
    CHECK(versions.status == kExitGood);
    CHECK(versions.errors.find(told) != std::string::npos);
    CHECK(versions.output.find("current") == std::string::npos);
    const auto listed = place.run({"list"});
    CHECK(listed.output.find("broken") != std::string::npos);
    CHECK(listed.errors.find(told) != std::string::npos);
    CHECK(place.run({"list", "-o", "json"}).output.find(told) != std::string::npos);
    const auto back = place.run({"rollback", "a"});
    CHECK(back.status == kExitNotAllowed);
    CHECK(back.errors.find(told) != std::string::npos);
    CHECK(place.run({"rollback", "a", "5"}).status == kExitGood);
    CHECK(place.run({"versions", "a"}).errors.empty());
  }
}

TEST_CASE("what is not packaged cannot be rolled back, and leaves nothing behind") {
  const Place place;
  for (const std::vector<std::string>& words : {std::vector<std::string>{"rollback", "a"}, {"rollback", "a", "5"}}) {
    const auto ran = place.run(words);
    CHECK(ran.status == kExitNotFound);
    CHECK(ran.errors == "hakuriver.docker: environment 'a' is not packaged\n");
  }
  CHECK_FALSE(std::filesystem::exists(place.directory / "shared"));
}

}  // namespace
