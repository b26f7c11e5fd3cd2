#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "container/image_supply.hpp"
#include "platform/identity.hpp"
#include "support/scratch_directory.hpp"
#include "task_rig.hpp"

using namespace hakuriver;
using namespace hakuriver::container;
using namespace hakuriver::test;

namespace {

TEST_CASE("a limited mount is what it leads to, and that must be below what is allowed") {
  ScratchDirectory node;
  std::filesystem::create_directories(node / "allowed/data");
  std::filesystem::create_directories(node / "secret");
  std::filesystem::create_directory_symlink(node / "secret", node / "allowed/out");
  std::filesystem::create_directory_symlink(node / "allowed", node / "alias");
  const std::string real = std::filesystem::canonical(node / "allowed/data").string();
  struct Row {
    std::string source;
    std::string refusal;  // empty: none
  };
  for (const auto& row : std::vector<Row>{{"alias/data", ""},
                                          {"allowed/data/../data", ""},
                                          {"allowed/out", "is not allowed here: [docker] allow_mounts"},
                                          {"allowed/out/..", "is not allowed here: [docker] allow_mounts"},
                                          {"allowed/none", "there is no such file or directory on this node"}}) {
    CAPTURE(row.source);
    Rig rig;
    rig.options.allow_mounts = {"/nonexistent", node / "alias"};
    rig.options.limited_mounts = {{node / row.source, "/d", true}};
    const auto ended = rig.run();
    CHECK(ended.message.ends_with(row.refusal));
    CHECK(ended.message.empty() == row.refusal.empty());
    if (row.refusal.empty()) {
      CHECK(rig.engine.container.mounts.front() == Mount{real, "/d", true});
      CHECK(shell_quote(rig.engine.command).find(" --expect ") != std::string::npos);
    }
    CHECK(rig.files.was_asked() == row.refusal.empty());
  }
}

TEST_CASE("a start whose answer got lost counts by what the container did") {
  struct Row {
    std::string status;  // after the lost answer
    std::string report;
    std::string told;
  };
  for (const auto& row : std::vector<Row>{{"running", "starting\nstarted\nexited 4\n", "exited 4\n"},
                                          {"exited", "starting\nstarted\nexited 0\n", "exited 0\n"},
                                          {"created", "", "never_started 11 container of image 'my-env': away\n"},
                                          // It had begun, and was ended by its removal.
                                          {"created", "starting\nstarted\n", "signaled 9\n"}}) {
    CAPTURE(row.status + " " + row.report);
    Rig rig;
    rig.engine.failures = 1;
    rig.engine.while_starting = [&] {
      rig.engine.state_.status = row.status;
      rig.report(row.report);
      return Status(Error{Errc::unavailable, "away"});
    };
    rig.run();
    REQUIRE(rig.finish(&rig.engine));
    CHECK(rig.told == row.told);
    CHECK(rig.engine.said.back() == "remove");
  }
}

TEST_CASE("what an engine fails at is the task's, unless it works no more or its node lacks something") {
  struct Row {
    Errc code;
    std::string message;
    bool answers;
    int status;
  };
  for (const auto& row : std::vector<Row>{{Errc::io, "mkdir /x: not a directory", true, 126},
                                          {Errc::invalid_argument, "invalid", true, 126},
                                          {Errc::io, "mkdir /x: not a directory", false, 125},
                                          {Errc::io, "write /x: no space left on device", true, 125},
                                          {Errc::conflict, "in use", true, 125},
                                          {Errc::unavailable, "away", true, 125}}) {
    CAPTURE(row.message);
    Rig rig;
    rig.engine.answers = row.answers;
    rig.engine.while_starting = [&] { return Status(Error{row.code, row.message}); };
    CHECK(rig.run().exit_status == row.status);
  }
}

TEST_CASE("less than a hundredth of a core is a hundredth, and more than there are is all") {
  Rig rig;
  rig.options.container.millicores = 1;
  rig.run();
  CHECK(rig.engine.container.millicores == 10);
  rig.options.container.millicores = 10'000'000;
  rig.run();
  CHECK(rig.engine.container.millicores < 10'000'000);
}

TEST_CASE("a container that may still come is waited for, and then removed") {
  Rig rig;
  rig.engine.while_creating = [] { return Status(Error{Errc::unavailable, "nobody answers"}); };
  rig.run();
  CHECK(rig.finish(&rig.engine).error().code == Errc::unavailable);
  CHECK(rig.told.empty());
  rig.engine.state_.status = "created";
  REQUIRE(rig.finish(&rig.engine));
  CHECK(rig.told == "never_started 11 container of image 'my-env': nobody answers\n");
  CHECK(rig.engine.said == std::vector<std::string>{"remove"});
}

TEST_CASE("a container that never came is not waited for without end, nor one that was refused at all") {
  Rig lost;
  lost.engine.while_creating = [] { return Status(Error{Errc::unavailable, "nobody answers"}); };
  lost.run();
  CHECK_FALSE(lost.finish(&lost.engine));
  std::filesystem::last_write_time(lost.directory / "task/awaited",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::minutes(10));
  CHECK(lost.finish(&lost.engine));

  Rig refused;
  refused.engine.while_creating = [] { return Status(Error{Errc::invalid_argument, "bad"}); };
  refused.run();
  REQUIRE(refused.finish(&refused.engine));
  CHECK(refused.told == "exited 126\nmessage container of image 'my-env': bad\n");
}

TEST_CASE("what still runs when its main process has gone is ended before its end is told") {
  Rig rig;
  rig.run();
  rig.engine.state_.status = "running";
  REQUIRE(rig.finish(&rig.engine));
  CHECK(rig.engine.said == std::vector<std::string>{"kill", "remove"});
}

TEST_CASE("a container that starts while it is being removed is told by what it came to") {
  Rig rig;
  rig.run();
  rig.engine.state_.status = "created";
  rig.engine.while_removing = [&rig] { rig.report("starting\nstarted\n"); };
  REQUIRE(rig.finish(&rig.engine));
  CHECK(rig.told == "signaled 9\n");
}

TEST_CASE("nothing inside a container can change our programs on the node, and everybody there can tell") {
  Rig rig;
  rig.run();
  const auto& mounts = rig.engine.container.mounts;
  CHECK(std::count(mounts.begin(), mounts.end(), Mount{"/libexec/init", "/.hakuriver/init", true}) == 1);
  CHECK(std::count(mounts.begin(), mounts.end(), Mount{"/bin/hakurun", "/.hakuriver/bin/hakurun", true}) == 1);
  CHECK(std::filesystem::status(rig.files.report_path()).permissions() == static_cast<std::filesystem::perms>(0666));
}

TEST_CASE("a starter is one as long as it lives, whoever has its number afterwards") {
  const ScratchDirectory directory;
  {
    TaskFiles files(directory / "task");
    REQUIRE(files.create());
    CHECK(TaskFiles(directory / "task").starter() == ::getpid());
  }
  CHECK_FALSE(TaskFiles(directory / "task").starter());
}

TEST_CASE("whoever asked an engine is not ended, and starts nothing that was cancelled meanwhile") {
  Rig rig;
  rig.engine.while_creating = [&rig] {
    rig.engine.state_.status = "";
    REQUIRE(rig.control("kill"));  // we hold the lock as the starter does: a signal would end this test
    rig.engine.state_.status = "created";
    return Status(Unit{});
  };
  CHECK(rig.run().message == "it was asked to end before it started");
  CHECK(rig.engine.state_.status == "created");
  REQUIRE(rig.finish(&rig.engine));
  CHECK(rig.engine.said == std::vector<std::string>{"remove"});
}

TEST_CASE("what was asked to end while it was being started is ended") {
  Rig rig;
  rig.engine.while_starting = [&rig] {
    REQUIRE(rig.control("terminate"));
    rig.engine.state_.status = "running";
    return Status(Unit{});
  };
  rig.run();
  CHECK(rig.engine.said == std::vector<std::string>{"kill"});
}

TEST_CASE("an end is kept until it is old, and then only if nothing else is left") {
  ScratchDirectory parent;
  const auto age = [&](const std::string& path, int minutes) {
    std::filesystem::last_write_time(parent / path,
                                     std::filesystem::file_time_type::clock::now() - std::chrono::minutes(minutes));
  };
  for (const std::string name : {"old", "new", "unremoved"}) {
    const TaskFiles files(parent / name);
    std::filesystem::create_directory(parent / name);
    REQUIRE(files.note_end("exited 1\n"));
    if (name == "unremoved") REQUIRE(files.note_asked());
    if (name != "new") age(name + "/end", 100);
  }
  remove_ends(parent.path());
  CHECK_FALSE(std::filesystem::exists(parent / "old"));
  CHECK(std::filesystem::exists(parent / "new/end"));
  CHECK(std::filesystem::exists(parent / "unremoved/end"));
}

TEST_CASE("what the machine went down with is removed, if it is this runner's") {
  struct Row {
    std::string pid;
    std::string owner;
    std::vector<std::string> said;
    bool stays;
  };
  const std::string other(32, '0');
  for (const auto& row : std::vector<Row>{{"7 " + other, "a/9/1", {"remove"}, false},
                                          {"7 " + other, "b/9/1", {}, false},
                                          {"7 " + *platform::boot_id(), "a/9/1", {}, true},
                                          {"7", "a/9/1", {}, true}}) {
    CAPTURE(row.pid + " " + row.owner);
    Rig rig;
    rig.options.state = rig.directory / "task";
    rig.directory.write("lost/pid", row.pid);
    rig.directory.write("lost/report", "started\n");
    rig.directory.write("lost/.half.tmp", "");
    rig.engine.state_.status = "exited";
    rig.engine.state_.owner = row.owner;
    remove_lost(rig.engine, rig.options);
    CHECK(rig.engine.said == row.said);
    CHECK(std::filesystem::exists(rig.directory / "lost") == row.stays);
    CHECK(std::filesystem::exists(rig.directory / "task/report"));
  }
}

TEST_CASE("the init's own failures have words") {
  Rig rig;
  rig.options.container.user = "7:7";
  rig.engine.while_waiting = [&rig] {
    rig.report("unopened 13\n");
    rig.engine.state_.exit_code = 125;
  };
  CHECK(rig.run().exit_status == 126);
  REQUIRE(rig.finish(&rig.engine));
  CHECK(rig.told ==
        "exited 126\nmessage its output files cannot be opened by user 7:7 in the container: Permission denied\n");

  Rig silent;
  silent.engine.while_waiting = [&silent] { silent.engine.state_.exit_code = 125; };
  CHECK(silent.run().exit_status == 126);
  REQUIRE(silent.finish(&silent.engine));
  CHECK(silent.told.starts_with("exited 126\nmessage its first program cannot open its files"));
}

// One that has the image by the time that it is looked for again.
class LateEngine final : public FakeEngine {
 public:
  Result<Image> image(const std::string&) override {
    if (looks_++ == 0) return Error{Errc::not_found, "no such image"};
    return Image{};
  }

 private:
  int looks_ = 0;
};

TEST_CASE("what another one brought while its turn was waited for is not brought again") {
  const ScratchDirectory directory;
  for (const auto& [image, package] : {std::pair{"hakuriver/box:7", "box@7"}, std::pair{"python:3.12", ""}}) {
    LateEngine engine;
    CHECK(supply_image(engine, image, {directory / "packages", directory / "locks", package}));
    CHECK(engine.said.empty());
  }
}

}  // namespace
