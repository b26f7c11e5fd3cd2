// Who a task runs as, and with what priority. Becoming another user takes root.
#include <doctest/doctest.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;

namespace {

constexpr std::uint32_t kUser = 65534;
constexpr std::uint32_t kGroup = 60001;

bool is_root() {
  if (::geteuid() == 0) return true;
  if (std::getenv("HAKURIVER_NO_SKIP") != nullptr) FAIL("only root may start tasks as another user");
  MESSAGE("skipped: only root may start tasks as another user");
  return false;
}

// A node whose directories others may enter.
struct OpenNode : Node {
  OpenNode() {
    ::chmod(std::filesystem::path(out_directory()).parent_path().c_str(), 0755);
    REQUIRE(connect());
  }
  StartRequest as_user(std::uint64_t number, Argv argv) {
    auto made = request(number, std::move(argv));
    made.user = TaskUser{kUser, kGroup, {60002, 60003}};
    return made;
  }
};

}  // namespace

TEST_CASE("a task runs as the user that was asked for, with those groups only, and its output is that user's") {
  if (!is_root()) return;
  OpenNode node;
  const auto ended = node.run(node.as_user(
      1, {"/bin/sh", "-c",
          "id -u; id -g; id -G; ls /proc/self/fd | wc -l; grep -c CapEff:.*0000000000000000 /proc/self/status"}));
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(node.output(1) == "65534\n60001\n60001 60002 60003\n4\n1\n");
  struct stat status {};
  for (const auto& path : {node.out_path(1), node.out_directory() + "/1.err"}) {
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK(status.st_uid == kUser);
    CHECK(status.st_gid == kGroup);
    CHECK((status.st_mode & 07777) == 0640);
  }
  // The next one is the keeper's own user again.
  node.run(node.shell(2, "id -u"));
  CHECK(node.output(2) == "0\n");
}

TEST_CASE("what a user may not execute or enter is the task's fault") {
  if (!is_root()) return;
  OpenNode node;
  const auto dir = node.out_directory();
  ::mkdir((dir + "/first").c_str(), 0755);
  ::mkdir((dir + "/second").c_str(), 0755);
  ::mkdir((dir + "/closed").c_str(), 0700);
  write_file(dir + "/first/tool", "#!/bin/sh\necho first\n");
  ::chmod((dir + "/first/tool").c_str(), 0700);
  write_file(dir + "/first/only", "#!/bin/sh\n");
  ::chmod((dir + "/first/only").c_str(), 0700);
  write_file(dir + "/second/tool", "#!/bin/sh\necho second\n");
  ::chmod((dir + "/second/tool").c_str(), 0755);
  struct Row {
    Argv argv;
    Outcome outcome;
    std::string message;
  };
  std::uint64_t number = 0;
  for (const auto& row : std::vector<Row>{
           {{"tool"}, {OutcomeKind::exited, 0}, ""},
           {{"only"}, {OutcomeKind::exited, 126}, "'only': user 65534 may not execute it"},
           {{dir + "/first/only"}, {OutcomeKind::exited, 126}, "user 65534 may not execute it"},
           {{"no-such"}, {OutcomeKind::exited, 127}, "'no-such': command not found on PATH"},
           {{dir + "/no-such"}, {OutcomeKind::exited, 127}, "command not found"},
       }) {
    CAPTURE(row.argv.front());
    auto request = node.as_user(++number, row.argv);
    request.environment = {"PATH=" + dir + "/first:" + dir + "/second:/usr/bin:/bin"};
    const auto ended = node.run(request);
    CHECK(ended.outcome == row.outcome);
    CHECK(ended.message.find(row.message) != std::string::npos);
    if (row.message.empty()) CHECK(node.output(number) == "second\n");
  }
  auto closed = node.as_user(++number, {"/bin/true"});
  closed.working_directory = dir + "/closed";
  const auto ended = node.run(closed);
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 126});
  CHECK(ended.message == "working directory '" + dir + "/closed': Permission denied");
}

TEST_CASE("a keeper that may not become a user never starts its task") {
  if (!is_root()) return;
  const ScratchDirectory scratch;
  const auto program = scratch.write(
      "keeper", "#!/bin/sh\nexec setpriv --bounding-set=-setuid,-setgid " HAKURIVER_TEST_KEEPER " \"$@\"\n");
  ::chmod(program.c_str(), 0755);
  Node node({.keeper_program = program});
  REQUIRE(node.connect());
  auto request = node.shell(1, "id -u");
  request.user = TaskUser{kUser, kGroup, {}};
  const auto ended = node.run(request);
  CHECK(ended.outcome == Outcome{OutcomeKind::never_started, EPERM});
  CHECK(ended.message == "becoming user 65534 of group 60001: Operation not permitted");
  CHECK_FALSE(exists(node.out_path(1)));
  CHECK(node.run(node.shell(2, "true")).outcome == Outcome{OutcomeKind::exited, 0});
}

TEST_CASE("new privileges are given up where that is asked for, niceness is added, and no core is dumped") {
  Node node;
  REQUIRE(node.connect());
  auto request = node.shell(1, "grep NoNewPrivs /proc/self/status; nice; ulimit -S -c; ulimit -H -c");
  request.no_new_privileges = true;
  request.niceness = 3;
  CHECK(node.run(request).outcome == Outcome{OutcomeKind::exited, 0});
  request = node.shell(2, "grep NoNewPrivs /proc/self/status; nice; ulimit -S -c; ulimit -H -c");
  CHECK(node.run(request).outcome == Outcome{OutcomeKind::exited, 0});
  const int own = ::nice(0);
  CHECK(node.output(1) == "NoNewPrivs:\t1\n" + std::to_string(own + 3) + "\n0\n0\n");
  CHECK(node.output(2) == "NoNewPrivs:\t0\n" + std::to_string(own) + "\n0\n0\n");
}

TEST_CASE("the keeper's own user can be asked for") {
  Node node;
  REQUIRE(node.connect());
  auto request = node.shell(1, "id -u");
  std::vector<gid_t> groups(256);
  groups.resize(static_cast<std::size_t>(::getgroups(256, groups.data())));
  request.user = TaskUser{::geteuid(), ::getegid(), {groups.begin(), groups.end()}};
  CHECK(node.run(request).outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(node.output(1) == std::to_string(::geteuid()) + "\n");
}

TEST_CASE("what a launcher refuses ends as not executable, with its words, and nothing has run") {
  Node node;
  REQUIRE(node.connect());
  auto request = node.shell(1, "echo $$ > ran");
  request.refusal = "container environments are not to be had on this node";
  const auto ended = node.run(request);
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 126});
  CHECK(ended.message == request.refusal);
  CHECK_FALSE(exists(node.out_directory() + "/ran"));
}
