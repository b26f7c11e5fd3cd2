#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/child.hpp"
#include "container/program.hpp"
#include "task_rig.hpp"

using namespace hakuriver;
using namespace hakuriver::container;

namespace {

TEST_CASE("a command runs behind the image's entrypoint, with the image's PATH and ours") {
  Rig rig;
  rig.run({"A=1"});
  CHECK(rig.engine.command == Argv{"--stdout", "/.hakuriver/stdout", "--stderr", "/.hakuriver/stderr", "--report",
                                   "/.hakuriver/report", "--", "/entry", "-x", "run", "it"});
  CHECK(rig.engine.environment == std::vector<std::string>{"A=1", "PATH=/own:/.hakuriver/bin"});
  CHECK(rig.engine.container.mounts.size() == 5);
  rig.run({"PATH=/mine"});
  CHECK(rig.engine.environment == std::vector<std::string>{"PATH=/mine:/.hakuriver/bin"});
  rig.options.niceness = 5;
  rig.run();
  CHECK(shell_quote(rig.engine.command).find(" --nice 5 -- ") != std::string::npos);
}

TEST_CASE("the files of its output are the user's whom the task runs as") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can give files away");
    return;
  }
  const test::ScratchDirectory directory;
  const std::string output = directory.write("out", "");
  const std::string state = directory / "containers/task";
  std::vector<std::string> words{"hakuriver-container",
                                 "--name",
                                 "n",
                                 "--owner",
                                 "a/7/1",
                                 "--state",
                                 state,
                                 "--socket",
                                 directory / "none",
                                 "--image",
                                 "box",
                                 "--init",
                                 "/i",
                                 "--user",
                                 "65534:65533",
                                 "run",
                                 "--",
                                 "x"};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open(output.c_str(), O_WRONLY | O_APPEND);
    if (::dup2(file, 1) < 0 || ::dup2(file, 2) < 0) ::_exit(1);
    ::_exit(container_program(static_cast<int>(argv.size()), argv.data()));
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 125);  // there is no engine
  struct stat facts {};
  REQUIRE(::stat(output.c_str(), &facts) == 0);
  CHECK(facts.st_uid == 65534);
  CHECK(facts.st_gid == 65533);
}

TEST_CASE("what the init reported is what the keeper is told") {
  struct Row {
    std::string report;
    bool oom;
    std::string told;
    int exit_code = 0;  // of the container
  };
  const std::string kOom = "oom_killed 9\nmessage out of memory: the kernel killed what ran in the container\n";
  const std::vector<Row> rows{
      {"started\nexited 3\n", false, "exited 3\n"},
      {"started\nexited 137\n", false, "exited 137\n"},
      {"started\ncpu_microseconds 5\npeak_bytes 6\nsignaled 9\n", false,
       "signaled 9\ncpu_microseconds 5\npeak_bytes 6\n"},
      {"started\nsignaled 9\n", true, kOom},
      {"started\nexited 1\n", true, kOom},
      {"started\nexited 0\n", true, "exited 0\n"},
      {"started\n", false, "signaled 9\n"},
      {"never_started 2\n", false,
       "exited 127\nmessage the command cannot be executed in the container: No such file or directory\n", 127},
      {"never_started 8\n", false,
       "exited 126\nmessage the command cannot be executed in the container: Exec format error\n", 126},
      {"starting\nnever_started 11\n", false,
       "never_started 11 the command cannot be executed in the container: Resource temporarily unavailable\n", 125},
      {"unopened 13\n", false,
       "exited 126\nmessage its output files cannot be opened in the container: Permission denied\n", 125},
      {"unentered 2\n", false,
       "exited 126\nmessage its working directory cannot be entered in the container: No such file or directory\n",
       126},
      {"unentered 116\n", false,
       "never_started 116 its working directory cannot be entered in the container: Stale file handle\n", 126},
      {"unentered 13\n", false, "signaled 9\n", 137},
      {"starting\n", false, "signaled 9\n"},
      {"started\nnever_started 11\nunopened 1\nexited 2\n", false, "exited 2\n"},
      // Written by the command, faster than the init, or with the end of the init or of what it had written.
      {"starting\nnever_started 11\nstarted\nexited 126\n", false, "exited 126\n", 126},
      {"never_started 11\nexited 125\n", false, "exited 125\n", 125},
      {"starting\nnever_started 11\n", false, "signaled 9\n", 137},
      {"never_started 11\nunopened 11\n", false, "signaled 9\n", 0},
      {"starting\nstarted\n" + std::string(10'000, 'x'), false, "signaled 9\n", 125},
      {"garbage\nexited x\nexited\nstarted\nexited 4\n", false, "exited 4\n"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.report);
    Rig rig;
    rig.run();
    rig.report(row.report);
    rig.engine.state_.is_oom_killed = row.oom;
    rig.engine.state_.exit_code = row.exit_code;
    REQUIRE(rig.finish(&rig.engine));
    CHECK(rig.told == row.told);
    CHECK(rig.engine.said == std::vector<std::string>{"remove"});
    CHECK_FALSE(std::filesystem::exists(rig.directory / "task/report"));
    // Whoever died before it kept that asks again.
    rig.told.clear();
    REQUIRE(rig.finish(nullptr));
    CHECK(rig.told == row.told);
  }
}

TEST_CASE("a command that cannot be executed is named") {
  Rig rig;
  rig.engine.while_waiting = [&rig] {
    rig.report("never_started 2\n");
    rig.engine.state_.exit_code = 127;
  };
  CHECK(rig.run().exit_status == 127);
  REQUIRE(rig.finish(&rig.engine));
  CHECK(rig.told == "exited 127\nmessage '/entry': command not found in the container\n");
}

TEST_CASE("a missing mount or image is the task's fault, and named") {
  Rig rig;
  rig.options.container.mounts = {{"/nonexistent/data", "/d"}};
  const auto ended = rig.run();
  CHECK(ended.exit_status == 126);
  CHECK(ended.message == "mount '/nonexistent/data': there is no such file or directory on this node");
  CHECK_FALSE(rig.files.was_asked());
  REQUIRE(rig.finish(nullptr));
  CHECK(rig.told == "exited 126\nmessage " + ended.message + "\n");

  Rig other;
  other.options.container.image = "none";
  CHECK(other.run().message == "image 'none' is not on this node");
}

TEST_CASE("what is not UTF-8 is refused by its name, and nothing is changed on its way") {
  struct Row {
    void (*spoil)(Rig& rig, std::vector<std::string>& environment);
    std::string named;
  };
  const std::vector<Row> rows{
      {[](Rig&, auto& environment) { environment.emplace_back("A=\xff"); }, "variable 'A' is not UTF-8"},
      {[](Rig& rig, auto&) {
         rig.options.command = {"run", "caf\xe9"};
       },
       "argument 'caf\xef\xbf\xbd' is not UTF-8"},
      {[](Rig& rig, auto&) {
         rig.options.container.mounts = {{"/\xff", "/d"}};
       },
       "mount '/\xef\xbf\xbd' is not"},
      {[](Rig& rig, auto&) {
         rig.options.container.mounts = {{"/", "/\xff"}};
       },
       "mount '/\xef\xbf\xbd' is not"},
      {[](Rig& rig, auto&) { rig.options.container.working_directory = "/\xc3"; }, "working directory '/"}};
  for (const auto& row : rows) {
    CAPTURE(row.named);
    Rig rig;
    std::vector<std::string> environment;
    row.spoil(rig, environment);
    const auto ended = rig.run(environment);
    CHECK(ended.exit_status == 126);
    CHECK(ended.message.starts_with(row.named));
    CHECK(rig.engine.state_.status.empty());
  }
}

TEST_CASE("what was cancelled before it started is not started") {
  Rig rig;
  REQUIRE(rig.files.note_cancelled());
  rig.run();
  CHECK(rig.engine.state_.status.empty());
}

TEST_CASE("verbs touch the attempt's own container only") {
  Rig rig;
  rig.run();
  rig.engine.state_.status = "running";
  rig.engine.state_.owner = "somebody";
  CHECK_FALSE(rig.control("pause"));
  CHECK(rig.finish(&rig.engine));
  CHECK(rig.engine.said.empty());
}

TEST_CASE("each verb does what its state asks for") {
  struct Row {
    std::string verb;
    std::string status;
    std::vector<std::string> said;
  };
  const std::string term = "execute /.hakuriver/init --signal " + std::to_string(SIGTERM);
  for (const auto& row : std::vector<Row>{{"pause", "running", {"pause"}},
                                          {"pause", "paused", {}},
                                          {"resume", "paused", {"resume"}},
                                          {"resume", "running", {}},
                                          {"terminate", "running", {term}},
                                          {"terminate", "paused", {"resume", term}},
                                          {"terminate", "exited", {}},
                                          {"kill", "paused", {"kill"}},
                                          {"kill", "exited", {}}}) {
    CAPTURE(row.verb + " " + row.status);
    Rig rig;
    rig.run();
    rig.engine.state_.status = row.status;
    CHECK(rig.control(row.verb));
    CHECK(rig.engine.said == row.said);
  }
}

TEST_CASE("a report that cannot be told keeps everything") {
  Rig rig;
  rig.run();
  CHECK_FALSE(finish_task(&rig.engine, rig.options, rig.files, [](const std::string&) { return false; }));
  CHECK(rig.engine.said.empty());
  CHECK(std::filesystem::exists(rig.directory / "task/report"));
}

TEST_CASE("a program is run for what it prints") {
  const auto end = run_child({{"sh", "-c", "echo $A; echo one >&2; echo two >&2; exit 3"}, {"A=x", "PATH=/bin"}, {}});
  REQUIRE(end);
  CHECK(end->exit_code == 3);
  CHECK(end->output == "x\n");
  CHECK(end->first_error == "one");
  CHECK(run_child({{"sh", "-c", "kill -9 $$"}, {}, {}})->exit_code == 137);
  CHECK(run_child({{"/nonexistent"}, {}, {}}).error().code == Errc::not_found);
  CHECK(run_child({{"sleep", "100"}, {}, std::chrono::milliseconds(50)}).error().code == Errc::unavailable);
}

}  // namespace
