#include "container/registry_pull.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "container/messages.hpp"
#include "platform/files.hpp"
#include "task_rig.hpp"

using namespace hakuriver;
using namespace hakuriver::container;
using namespace hakuriver::test;

namespace {

TEST_CASE("what registries say") {
  CHECK(code_of_pull("manifest for x:1 not found: manifest unknown", Errc::io) == Errc::not_found);
  CHECK(code_of_pull("pull access denied for x, repository does not exist", Errc::io) == Errc::not_found);
  CHECK(code_of_pull("denied: requested access to the resource is denied", Errc::io) == Errc::denied);
  CHECK(code_of_pull("unauthorized: authentication required", Errc::io) == Errc::denied);
  CHECK(code_of_pull("Head \"http://x/v2/a/manifests/1\": no basic auth credentials", Errc::io) == Errc::denied);
  CHECK(code_of_pull("dial tcp: lookup registry-1.docker.io: no such host", Errc::io) == Errc::io);
  // What a registry says to whom it does not know, of an image that is there for others.
  CHECK(wants_login("pull access denied for x, repository does not exist or may require 'docker login'"));
  CHECK_FALSE(wants_login("manifest for x:1 not found: manifest unknown: manifest unknown"));
  CHECK_FALSE(wants_login("Get \"https://x/v2/\": dial tcp 127.0.0.1:1: connect: connection refused"));
}

// It knows no logins.
class Daemon final : public FakeEngine {
 public:
  explicit Daemon(std::string refusal) : refusal_(std::move(refusal)) {}
  Status pull(const std::string&) override { return Error{code_of_pull(refusal_, Errc::io), refusal_}; }

 private:
  const std::string refusal_;
};

// A docker that writes down how it was called, and does the rest.
struct Client {
  ScratchDirectory directory;
  std::string program = directory / "docker";

  explicit Client(const std::string& rest) {
    directory.write("docker", "#!/bin/sh\necho \"$@\" >> '" + directory.path() + "/called'\n" + rest + "\n");
    REQUIRE(::chmod(program.c_str(), 0755) == 0);
  }
  std::string called() const {
    const auto text = platform::read_file(directory / "called", 4096);
    return text ? *text : std::string();
  }
};

const std::string kImage = "reg:5000/a:1";
const std::string kRefusal = "Head \"http://reg:5000/v2/a/manifests/1\": no basic auth credentials";
const std::string kLogin = " must `docker login reg:5000` on this node";

TEST_CASE("what a registry does not give to everybody is asked for by whoever has logged in") {
  struct Row {
    std::string client;  // what it does
    std::string begins;  // empty: the image is here then
    std::string ends;
    Errc code;
  };
  const auto says = [](const std::string& words) {
    return "echo 'Error response from daemon: " + words + "' >&2; exit 1";
  };
  for (const auto& row : std::vector<Row>{{"exit 0", "", "", Errc::io},
                                          {says("unauthorized: go"), "unauthorized: go: user ", kLogin, Errc::denied},
                                          {says("manifest unknown"), "manifest unknown", "unknown", Errc::not_found}}) {
    CAPTURE(row.client);
    const Client client(row.client);
    Daemon daemon(kRefusal);
    const auto pulled = pull_image(daemon, kImage, {{}, {}, {}, client.program, "/engine.sock"});
    CHECK(client.called() == "--host=unix:///engine.sock pull --quiet reg:5000/a:1\n");
    CHECK(pulled.has_value() == row.begins.empty());
    if (pulled) continue;
    CHECK(pulled.error().code == row.code);
    CHECK_MESSAGE(pulled.error().message.starts_with(row.begins), pulled.error().message);
    CHECK_MESSAGE(pulled.error().message.ends_with(row.ends), pulled.error().message);
  }
}

TEST_CASE("where no client program could know a login, that is said, and where none is needed none is asked") {
  Daemon daemon(kRefusal);
  const auto none = pull_image(daemon, kImage, {{}, {}, {}, {}, "/engine.sock"});
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Errc::denied);
  CHECK(none.error().message.starts_with(kRefusal + ": user "));
  CHECK(none.error().message.ends_with(kLogin + ", and its runner find docker or podman on the PATH"));
  CHECK(pull_image(daemon, kImage, {{}, {}, {}, "/bin/docker", {}}).error().message.ends_with(kLogin));
  CHECK(pull_image(daemon, kImage, {{}, {}, {}, "/bin/podman", {}}).error().message.find("`podman login") !=
        std::string::npos);
  Daemon hub("pull access denied for a, repository does not exist or may require 'docker login'");
  CHECK(pull_image(hub, "a", {}).error().message.ends_with(" must `docker login` on this node"));

  const Client client("exit 0");
  Daemon away("connection refused");
  CHECK(pull_image(away, kImage, {{}, {}, {}, client.program, "/engine.sock"}).error() ==
        Error{Errc::io, "connection refused"});
  CHECK(client.called().empty());
}

}  // namespace
