#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "launch/account.hpp"
#include "launch/spec_file.hpp"
#include "launch/start_report.hpp"
#include "running_exec.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::launch;
using namespace hakuriver::test;

TEST_CASE("the command is executed in place, word for word") {
  const auto ran = run_exec({"--", "printf", "%s|", "a b", "", "$HOME", "--spec"});
  CHECK(code_of(ran) == 0);
  CHECK(ran.output == "a b||$HOME|--spec|");
  CHECK(ran.errors.empty());
}

TEST_CASE("statuses are the command's") {
  CHECK(code_of(run_exec({"--", "sh", "-c", "exit 7"})) == 7);
  const auto ran = run_exec({"--", "sh", "-c", "kill -TERM $$"});
  CHECK(WTERMSIG(ran.wait_status) == SIGTERM);
}

TEST_CASE("what cannot be executed is told as a shell would") {
  const ScratchDirectory scratch;
  const auto file = [&scratch](const std::string& name, const std::string& text, mode_t mode) {
    const std::string path = scratch.path() + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  };
  const std::string plain = file("plain", "text", 0644);
  const std::string orphan = file("orphan", "#!/not/there\n", 0755);
  const std::string shapeless = file("shapeless", "echo no first line\n", 0755);
  struct Row {
    std::string command;
    int code;
    std::string report;
  };
  const std::vector<Row> table{
      {"nothing-of-that-name", 127, "2 'nothing-of-that-name': command not found on PATH\n"},
      {"/not/there", 127, "2 '/not/there': command not found\n"},
      {"plain", 126, "13 'plain': '" + plain + "' is not executable\n"},
      {orphan, 126, "13 '" + orphan + "': its interpreter was not found\n"},
      {shapeless, 126, "13 '" + shapeless + "': not a program, and no '#!' line says what should read it\n"},
      {"/", 126, "13 '/': cannot be executed: Permission denied\n"}};
  const std::vector<std::string> environment{"PATH=/usr/bin:" + scratch.path()};
  for (const auto& row : table) {
    CAPTURE(row.command);
    const auto ran = run_exec({"--report-fd", "3", "--", row.command}, environment);
    CHECK(code_of(ran) == row.code);
    const auto end = ran.report.find('\0');
    REQUIRE(end != std::string::npos);
    CHECK(ran.report.substr(end + 1) == row.report);
    CHECK(ran.errors.empty());
    CHECK(run_exec({"--", row.command}, environment).errors.find(row.command) != std::string::npos);
  }
}

TEST_CASE("the report is the cgroup of the one who executes") {
  const auto ran = run_exec({"--report-fd", "3", "--", "cat", "/proc/self/cgroup"});
  CHECK(code_of(ran) == 0);
  CHECK_FALSE(ran.report.empty());
  CHECK(ran.report == ran.output);
}

TEST_CASE("where the cgroup cannot be read, the report still says that there was an execution") {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() + "/report";
  std::ofstream(path).close();
  StartReport report;
  REQUIRE(report.open(path));
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  const rlimit none{0, files.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  report.tell_cgroup();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  CHECK(contents_of(path) == "\n");
}

TEST_CASE("a report by name goes to who waits there, and is closed when the command runs") {
  const ScratchDirectory scratch;
  const std::string fifo = scratch.path() + "/report";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const auto absent = run_exec({"--report", fifo, "--", "true"});
  CHECK(code_of(absent) == 125);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  const auto ran =
      run_exec({"--report", fifo, "--", "sh", "-c",
                "for fd in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; cat /proc/self/cgroup"});
  CHECK(code_of(ran) == 0);
  char buffer[8192];
  const auto count = ::read(reader, buffer, sizeof buffer);
  REQUIRE(count > 0);
  CHECK(ran.output == std::string(buffer, static_cast<std::size_t>(count)));
  CHECK(::read(reader, buffer, sizeof buffer) == 0);
  ::close(reader);
}

TEST_CASE("a spec is the whole world of the command") {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() + "/spec";
  REQUIRE(write_spec_file(path, {"/usr", {{7, {100, 200}}}, {"PATH=/bin:/usr/bin", "WORD=a b"}}));
  const auto ran =
      run_exec({"--spec", path, "--", "sh", "-c", "env | grep WORD; pwd; ulimit -Sn; ulimit -Hn; umask"}, {"OTHER=1"});
  CHECK(ran.output == "WORD=a b\n/usr\n100\n200\n0022\n");
  const auto again = run_exec({"--report-fd", "3", "--spec", path, "--", "true"});
  CHECK(code_of(again) == 125);
  CHECK(again.report.find("5 '" + path + "'") == 1);
}

TEST_CASE("a directory that is not there is the task's fault") {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() + "/spec";
  REQUIRE(write_spec_file(path, {"/not/there", {}, {}}));
  const auto ran = run_exec({"--report-fd", "3", "--spec", path, "--", "true"});
  CHECK(code_of(ran) == 126);
  CHECK(ran.report.substr(1) == "13 working directory '/not/there': No such file or directory\n");
}

TEST_CASE("outputs are appended to, and never created") {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() + "/out";
  CHECK(code_of(run_exec({"--stdout", path, "--", "true"})) == 125);
  std::ofstream(path) << "first\n";
  CHECK(code_of(run_exec({"--stdout", path, "--stderr", path, "--", "sh", "-c", "echo second; echo third >&2"})) == 0);
  CHECK(contents_of(path) == "first\nsecond\nthird\n");
  // Whoever may write to the directory could have put it there.
  const std::string link = scratch.path() + "/link";
  REQUIRE(::symlink(path.c_str(), link.c_str()) == 0);
  CHECK(code_of(run_exec({"--stdout", link, "--", "echo", "fourth"})) == 125);
  CHECK(contents_of(path) == "first\nsecond\nthird\n");
}

TEST_CASE("what a launcher ignores or masks is not the command's") {
  const std::string exec = HAKURIVER_TEST_EXEC;
  const auto ran = run_exec(
      {"--", "sh", "-c",
       "trap '' PIPE TERM; umask 077; exec " + exec + " -- sh -c \"umask; exec grep ^SigIgn /proc/self/status\""});
  REQUIRE(ran.output.starts_with("0022\nSigIgn:\t"));
  const auto ignored = std::stoull(ran.output.substr(ran.output.rfind('\t')), nullptr, 16);
  CHECK((ignored & (1u << (SIGPIPE - 1) | 1u << (SIGTERM - 1))) == 0);
}

TEST_CASE("a command that is bound to a CPU runs there") {
  cpu_set_t own;
  CPU_ZERO(&own);
  REQUIRE(::sched_getaffinity(0, sizeof own, &own) == 0);
  int cpu = 0;
  while (CPU_ISSET(cpu, &own) == 0) ++cpu;
  const auto ran = run_exec({"--cpus", std::to_string(cpu), "--", "grep", "^Cpus_allowed_list", "/proc/self/status"});
  CHECK(ran.output == "Cpus_allowed_list:\t" + std::to_string(cpu) + "\n");
}

TEST_CASE("outputs of another process are the files that it has, not what has their names") {
  const ScratchDirectory scratch;
  const std::string exec = HAKURIVER_TEST_EXEC;
  const auto ran =
      run_exec({"--", "sh", "-c",
                "cd " + scratch.path() + "; exec >out 2>err; echo first; mv out moved; ln -s /dev/full out; (exec " +
                    exec + " --outputs-of $$ -- sh -c 'echo second; echo third >&2' >/dev/null 2>&1); exit $?"});
  CHECK(code_of(ran) == 0);
  CHECK(contents_of(scratch.path() + "/moved") == "first\nsecond\n");
  CHECK(contents_of(scratch.path() + "/err") == "third\n");
  CHECK(code_of(run_exec({"--outputs-of", "4194304", "--", "true"})) == 125);  // one more than there may be
}

TEST_CASE("niceness and new privileges") {
  const auto ran = run_exec(
      {"--nice", "3", "--no-new-privileges", "--", "sh", "-c", "nice; grep -c 'NoNewPrivs:.1' /proc/self/status"});
  CHECK(ran.output.ends_with("\n1\n"));
  const auto own = run_exec({"--", "nice"});
  CHECK(std::stoi(ran.output) == std::min(19, std::stoi(own.output) + 3));
}

TEST_CASE("with an account the status is the command's still, whatever else is killed") {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() + "/account";
  CHECK(code_of(run_exec({"--account", path, "--", "sh", "-c", "exit 9"})) == 9);
  auto account = parse_account(contents_of(path));
  REQUIRE(account);
  CHECK(account->outcome == Outcome{OutcomeKind::exited, 9});
  CHECK(account->cpu_microseconds > 0);
  // TERM to the whole tree, as a manager sends it: the command may end in its own way.
  const auto ran = run_exec({"--account", path, "--", "sh", "-c", "trap 'exit 5' TERM; kill -TERM $PPID $$; sleep 9"});
  CHECK(code_of(ran) == 5);
  CHECK(WTERMSIG(run_exec({"--account", path, "--", "sh", "-c", "kill -KILL $$"}).wait_status) == SIGKILL);
  CHECK(parse_account(contents_of(path))->outcome == Outcome{OutcomeKind::signaled, SIGKILL});
  const auto both = run_exec({"--account", path, "--", "sh", "-c", "kill -TERM $PPID; kill -KILL $$"});
  CHECK(WTERMSIG(both.wait_status) == SIGKILL);
}
