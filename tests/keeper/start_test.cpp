#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "keeper/descriptor.hpp"
#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;

namespace {

constexpr bool is_sanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#else
    false;
#endif

struct Ending {
  Argv argv;
  Outcome outcome;
  std::string message;  // a part of it
};

}  // namespace

TEST_CASE("what a command ends with is what the keeper tells") {
  Node node;
  REQUIRE(node.connect());
  const auto dir = node.out_directory();
  write_file(dir + "/noexec", "#!/bin/sh\n");
  ::chmod((dir + "/noexec").c_str(), 0644);
  write_file(dir + "/noline", "echo hello\n");
  ::chmod((dir + "/noline").c_str(), 0755);
  write_file(dir + "/badline", "#!/no/such/interpreter\n");
  ::chmod((dir + "/badline").c_str(), 0755);
  ::mkdir((dir + "/directory").c_str(), 0755);
  const std::vector<Ending> endings = {
      {{"/bin/sh", "-c", "exit 0"}, {OutcomeKind::exited, 0}, ""},
      {{"/bin/sh", "-c", "exit 3"}, {OutcomeKind::exited, 3}, ""},
      {{"sh", "-c", "exit 255"}, {OutcomeKind::exited, 255}, ""},
      {{"/bin/sh", "-c", "kill -9 $$"}, {OutcomeKind::signaled, 9}, ""},
      {{"/bin/sh", "-c", "kill -TERM $$"}, {OutcomeKind::signaled, 15}, ""},
      {{"no-such-command"}, {OutcomeKind::exited, 127}, "'no-such-command': command not found"},
      {{"/no/such/command"}, {OutcomeKind::exited, 127}, "'/no/such/command': command not found"},
      {{"./absent"}, {OutcomeKind::exited, 127}, "'./absent': command not found"},
      {{"./noexec"}, {OutcomeKind::exited, 126}, "'./noexec': cannot be executed"},
      {{"./noline"}, {OutcomeKind::exited, 126}, "#!"},
      {{"./badline"}, {OutcomeKind::exited, 126}, "interpreter"},
      {{"./directory"}, {OutcomeKind::exited, 126}, "'./directory'"},
  };
  std::uint64_t number = 0;
  for (const auto& row : endings) {
    CAPTURE(row.argv.back());
    const auto ended = node.run(node.request(++number, row.argv));
    CHECK(ended.state == KeptState::ended);
    CHECK(ended.outcome == row.outcome);
    CHECK(ended.message.find(row.message) != std::string::npos);
    CHECK(ended.message.empty() == row.message.empty());
    CHECK(ended.record == number);
    CHECK_FALSE(ended.by_request);
  }
}

TEST_CASE("a command is looked up on the PATH of its environment, relative to its working directory") {
  Node node;
  REQUIRE(node.connect());
  ::mkdir((node.out_directory() + "/tools").c_str(), 0755);
  write_file(node.out_directory() + "/tools/mytool", "#!/bin/sh\necho found\n");
  auto request = node.request(1, {"mytool"});
  request.environment = {"PATH=/nowhere:tools:/bin"};
  const auto unusable = node.run(request);
  CHECK(unusable.outcome == Outcome{OutcomeKind::exited, 126});
  CHECK(unusable.message.find("not executable") != std::string::npos);
  ::chmod((node.out_directory() + "/tools/mytool").c_str(), 0755);
  request = node.request(2, {"mytool"});
  request.environment = {"PATH=/nowhere:tools:/bin"};
  CHECK(node.run(request).outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(node.output(2) == "found\n");
}

TEST_CASE("output files hold the bytes that were written and have mode 0640") {
  Node node;
  REQUIRE(node.connect());
  const auto ended = node.run(node.shell(1, "printf 'a\\0b'; printf error >&2"));
  CHECK(node.output(1) == std::string("a\0b", 3));
  CHECK(contents_of(node.out_directory() + "/1.err") == "error");
  CHECK(ended.stdout_bytes == 3);
  CHECK(ended.stderr_bytes == 5);
  struct stat status {};
  REQUIRE(::stat(node.out_path(1).c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  // One file for both is one file, appended to by both.
  auto shared = node.shell(2, "echo one; echo two >&2; echo three");
  shared.stderr_path = shared.stdout_path;
  node.run(shared);
  CHECK(node.output(2) == "one\ntwo\nthree\n");
}

TEST_CASE("a task sees its own environment, directory, session and descriptors, and nothing of the keeper") {
  Node node;
  REQUIRE(node.connect());
  auto request = node.request(1, {"/usr/bin/env"});
  request.environment = {"A=1", "EMPTY=", "HAKURIVER_TASK_ID=forged", "B=with = sign"};
  node.run(request);
  CHECK(node.output(1) == "A=1\nEMPTY=\nB=with = sign\nHAKURIVER_TASK_ID=" + to_string(node.key(1).task) +
                              "\nHAKURIVER_TASK_ATTEMPT=1\n");
  node.run(node.shell(2,
                      "pwd; umask; ulimit -c; cat | wc -c; ls -l /proc/self/fd | grep -c -- '->'; "
                      "readlink /proc/self/fd/0; cut -d' ' -f1,5,6 /proc/$$/stat; echo $$; "
                      "grep -E 'Sig(Blk|Ign)' /proc/self/status; ulimit -n"));
  std::istringstream lines(node.output(2));
  std::vector<std::string> line;
  for (std::string text; std::getline(lines, text);) line.push_back(text);
  REQUIRE(line.size() == 11);
  CHECK(line[0] == node.out_directory());
  CHECK(line[1] == "0022");
  CHECK(line[2] == "0");
  CHECK(line[3] == "0");  // stdin is empty
  CHECK(line[4] == "4");  // 0, 1 (a pipe), 2 and ls's own directory
  CHECK(line[5] == "/dev/null");
  CHECK(line[6] == line[7] + " " + line[7] + " " + line[7]);  // leads its group and its session
  CHECK(line[8] == "SigBlk:\t0000000000000000");
  CHECK(line[9] == "SigIgn:\t0000000000000000");
  rlimit own{};
  ::getrlimit(RLIMIT_NOFILE, &own);
  CHECK(line[10] == std::to_string(own.rlim_cur));
  // A shell takes itself out of what blocks its children's signals.
  node.run(node.request(3, {"/bin/grep", "^SigBlk", "/proc/self/status"}));
  CHECK(node.output(3) == "SigBlk:\t0000000000000000\n");
}

TEST_CASE("a task may have as many files open as who started the keeper, however many the keeper has") {
  rlimit own{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &own) == 0);
  const rlimit few{200, own.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  Node node;
  const auto connected = node.connect();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &own) == 0);
  REQUIRE(connected);
  node.run(node.shell(1, "ulimit -Sn; ulimit -Hn"));
  CHECK(node.output(1) ==
        "200\n" + (own.rlim_max == RLIM_INFINITY ? "unlimited" : std::to_string(own.rlim_max)) + "\n");
}

TEST_CASE("a working directory that is missing is the task's fault") {
  Node node;
  REQUIRE(node.connect());
  auto request = node.shell(1, "true");
  request.working_directory = node.out_directory() + "/absent";
  const auto ended = node.run(request);
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 126});
  CHECK(ended.message.find("/absent'") != std::string::npos);
}

TEST_CASE("output that cannot be created is the node's fault, and leaves no file") {
  Node node;
  REQUIRE(node.connect());
  auto request = node.shell(1, "true");
  request.stderr_path = node.out_directory() + "/absent/1.err";
  auto ended = node.run(request);
  CHECK(ended.outcome == Outcome{OutcomeKind::never_started, ENOENT});
  CHECK_FALSE(exists(node.out_path(1)));
  // A file that is there already is nobody's to write to, and stays as it is.
  write_file(node.out_path(2), "precious");
  ended = node.run(node.shell(2, "echo overwritten"));
  CHECK(ended.outcome == Outcome{OutcomeKind::never_started, EEXIST});
  CHECK(node.output(2) == "precious");
  // Nor is what a link points to.
  REQUIRE(::symlink("/tmp/elsewhere", node.out_path(3).c_str()) == 0);
  CHECK(node.run(node.shell(3, "true")).outcome.kind == OutcomeKind::never_started);
}

TEST_CASE("a keeper without descriptors says so and goes on when it has some again") {
  Node node;
  REQUIRE(node.connect());
  const rlimit few{3, 20000};
  rlimit before{};
  REQUIRE(::prlimit(node.keeper_pid(), RLIMIT_NOFILE, &few, &before) == 0);
  CHECK(node.run(node.shell(1, "true")).outcome == Outcome{OutcomeKind::never_started, EMFILE});
  CHECK_FALSE(exists(node.out_path(1)));
  REQUIRE(::prlimit(node.keeper_pid(), RLIMIT_NOFILE, &before, nullptr) == 0);
  CHECK(node.run(node.shell(2, "true")).outcome == Outcome{OutcomeKind::exited, 0});
}

TEST_CASE("CPUs and memory nodes that are named are bound, and ones that the node lacks are its fault") {
  Node node;
  REQUIRE(node.connect());
  auto request =
      node.shell(1, "grep Cpus_allowed_list /proc/self/status; cut -d' ' -f2 /proc/self/numa_maps | head -1");
  request.cpus = {0};
  request.numa_node = 0;
  CHECK(node.run(request).outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(node.output(1).find("Cpus_allowed_list:\t0\n") != std::string::npos);
  if (exists("/proc/self/numa_maps")) CHECK(node.output(1).find("bind:0") != std::string::npos);
  request = node.shell(2, "true");
  request.cpus = {8191};
  const auto ended = node.run(request);
  CHECK(ended.outcome == Outcome{OutcomeKind::never_started, EINVAL});
  CHECK(ended.message.find("CPUs") != std::string::npos);
}

TEST_CASE("what a task used is told") {
  Node node;
  REQUIRE(node.connect());
  const auto ended = node.run(node.shell(1, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"));
  CHECK(ended.usage.cpu_microseconds > 1000);
  CHECK(ended.ended_after.count() >= static_cast<std::int64_t>(ended.usage.cpu_microseconds) / 2);
  CHECK(ended.started_at.microseconds > 0);
  if (!is_sanitized) {
    const auto large = node.run(node.request(2, {"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"}));
    CHECK(large.usage.max_rss_bytes > (60u << 20));
  }
}

TEST_CASE("an attempt that is known is not started again") {
  Node node;
  REQUIRE(node.connect());
  const auto request = node.shell(1, "echo ran");
  node.start(request);
  node.start(request);
  node.wait_for_end(1);
  node.start(request);
  node.run(node.shell(2, "true"));
  CHECK(node.output(1) == "ran\n");
  CHECK(node.events == 4);  // started and ended, twice
  auto later = request;
  later.key.attempt.value = 2;
  later.stdout_path += "2";
  later.stderr_path += "2";
  node.ended.erase(1);
  CHECK(node.run(later).key.attempt.value == 2);
}

TEST_CASE("a request that no process can be made of is refused before it is sent") {
  Node node;
  REQUIRE(node.connect());
  const auto refused = [&](auto change) {
    auto request = node.shell(1, "true");
    change(request);
    const auto status = node.port().start(request);
    return !status && (status.error().code == Errc::invalid_argument || status.error().code == Errc::limit);
  };
  CHECK(refused([](StartRequest& r) { r.argv.clear(); }));
  CHECK(refused([](StartRequest& r) { r.argv = {""}; }));
  CHECK(refused([](StartRequest& r) { r.argv.push_back(std::string("a\0b", 3)); }));
  CHECK(refused([](StartRequest& r) { r.environment.push_back(std::string("A=\0", 3)); }));
  CHECK(refused([](StartRequest& r) { r.working_directory = "relative"; }));
  CHECK(refused([](StartRequest& r) { r.stdout_path = ""; }));
  CHECK(refused([](StartRequest& r) { r.cpus = {8192}; }));
  CHECK(refused([](StartRequest& r) { r.numa_node = 1024; }));
  CHECK(refused([](StartRequest& r) { r.argv.push_back(std::string(3u << 20, 'x')); }));
  CHECK(node.run(node.shell(2, "true")).outcome == Outcome{OutcomeKind::exited, 0});
}

TEST_CASE("arguments that the kernel refuses are the task's fault") {
  Node node;
  REQUIRE(node.connect());
  const auto ended = node.run(node.request(1, {"/bin/echo", std::string(200'000, 'x')}));
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 126});
}

TEST_CASE("a thousand tasks at once all end with their own code and output") {
  Node node;
  REQUIRE(node.connect());
  constexpr std::uint64_t kTasks = 1000;
  const auto gate_path = node.out_directory() + "/gate";
  REQUIRE(::mkfifo(gate_path.c_str(), 0600) == 0);
  const keeper::Descriptor gate(::open(gate_path.c_str(), O_RDWR | O_CLOEXEC));
  for (std::uint64_t i = 1; i <= kTasks; ++i) {
    node.start(node.shell(i, "read line < gate; echo " + std::to_string(i) + "; exit " + std::to_string(i % 100)));
  }
  REQUIRE(node.wait([&] { return node.started.size() == kTasks; }));
  CHECK(node.ended.empty());
  const std::string lines(kTasks, '\n');
  REQUIRE(::write(gate.get(), lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
  REQUIRE(node.wait([&] { return node.ended.size() == kTasks; }));
  std::vector<std::uint64_t> records;
  for (const auto& [number, ended] : node.ended) {
    records.push_back(ended.record);
    CHECK(ended.outcome == Outcome{OutcomeKind::exited, static_cast<int>(number % 100)});
    CHECK(node.output(number) == std::to_string(number) + "\n");
  }
  std::sort(records.begin(), records.end());
  CHECK(records.front() == 1);
  CHECK(records.back() == kTasks);
}
