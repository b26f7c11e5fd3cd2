#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/cgroup.hpp"
#include "keeper/descriptor.hpp"
#include "keeper/journal_content.hpp"
#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using namespace std::chrono_literals;

namespace {

// The journal without the space taken ahead.
std::string journal_of(const Node& node) {
  auto bytes = contents_of(node.state_directory() + "/journal");
  bytes.resize(keeper::read_journal(bytes).end);
  return bytes;
}

}  // namespace

TEST_CASE("an agent that was killed finds everything as it is") {
  Node node;
  REQUIRE(node.connect());
  node.run(node.shell(1, "exit 4"));
  node.start(node.shell(2, "echo $$ > ready; read line < gate; exit 6"));
  REQUIRE(::mkfifo((node.out_directory() + "/gate").c_str(), 0600) == 0);
  node.start(node.shell(3, "sleep 1000"));
  node.wait_for_pid("ready");
  REQUIRE(node.port().signal(node.key(3), TaskSignal::pause, 0ms).has_value());
  REQUIRE(node.wait([&] { return node.changed.size() == 1; }));
  const auto before = node.started;
  const auto ended = node.ended;
  const pid_t keeper = node.keeper_pid();
  node.lose_agent();
  const auto listing = node.connect();
  REQUIRE(listing.has_value());
  CHECK(node.keeper_pid() == keeper);
  CHECK(listing->run == RunId{2});
  REQUIRE(listing->attempts.size() == 3);
  CHECK(listing->attempts[0] == ended.at(1));
  CHECK(listing->attempts[1] == before.at(2));
  CHECK(listing->attempts[2].state == KeptState::paused);
  // What ends while no agent is there is told to the next one.
  node.lose_agent();
  write_file(node.out_directory() + "/gate", "go\n");
  CHECK(eventually([&] {
    const auto later = node.connect();
    return later && node.ended.contains(2);
  }));
  CHECK(node.ended[2].outcome == Outcome{OutcomeKind::exited, 6});
  CHECK(node.ended[2].record == 2);
}

TEST_CASE("a killed keeper's tasks run on and are found by the next one") {
  Node node;
  const auto first = node.connect();
  REQUIRE(first.has_value());
  node.run(node.shell(1, "exit 4"));
  REQUIRE(::mkfifo((node.out_directory() + "/gate").c_str(), 0600) == 0);
  node.start(node.shell(2, "echo $$ > ready2; read line < gate; echo done"));
  node.start(node.shell(3, "(setsid sh -c 'echo $$ > far; exec sleep 1000' &); echo $$ > ready3; sleep 1000"));
  node.start(node.shell(4, "sleep 1000"));
  const pid_t two = node.wait_for_pid("ready2");
  const pid_t far = node.wait_for_pid("far");
  node.wait_for_pid("ready3");
  REQUIRE(node.wait([&] { return node.started.size() == 4; }));
  const auto ended_before = node.ended.at(1);
  node.kill_keeper();
  REQUIRE(node.wait([&] { return !node.gone.empty(); }));
  CHECK_FALSE(is_gone(two));
  ::kill(static_cast<pid_t>(node.started[4].pid), SIGKILL);  // while no keeper was there
  CHECK(eventually([&] { return is_gone(static_cast<pid_t>(node.started[4].pid)); }));
  const auto listing = node.connect();
  REQUIRE(listing.has_value());
  CHECK(listing->session == first->session);
  CHECK(listing->run == RunId{2});
  CHECK(node.ended.at(1) == ended_before);
  CHECK(node.started.at(2).pid == two);
  const auto four = node.wait_for_end(4);
  CHECK(four.outcome.kind == OutcomeKind::unknown);
  CHECK(four.message.find("exit status could not be read") != std::string::npos);
  // Pause, resume and kill still reach the whole tree.
  REQUIRE(node.port().signal(node.key(3), TaskSignal::pause, 0ms).has_value());
  REQUIRE(node.wait([&] { return node.changed.size() == 1; }));
  CHECK(eventually([&] { return node.is_stopped(far); }));
  REQUIRE(node.port().signal(node.key(3), TaskSignal::resume, 0ms).has_value());
  REQUIRE(node.port().signal(node.key(3), TaskSignal::terminate, 5s).has_value());
  const auto three = node.wait_for_end(3);
  CHECK(three.outcome.kind == OutcomeKind::unknown);
  CHECK(three.by_request);
  CHECK(is_gone(far));
  write_file(node.out_directory() + "/gate", "go\n");
  const auto second = node.wait_for_end(2);
  CHECK(second.outcome.kind == OutcomeKind::unknown);
  CHECK(second.stdout_bytes == 5);
  CHECK(node.output(2) == "done\n");
  CHECK(node.ended.size() == 4);
  CHECK(node.run(node.shell(5, "exit 9")).outcome == Outcome{OutcomeKind::exited, 9});
}

TEST_CASE("every listing says what the attempts hold of the node, whoever of agent and keeper was killed") {
  Node node;
  REQUIRE(node.connect());
  const auto with_place = [&node](std::uint64_t number, const std::string& script) {
    auto request = node.shell(number, script);
    request.millicores = 1500;
    request.memory_bytes = std::uint64_t{3} << 30;
    if (number == 2) request.numa_node = 0;
    return request;
  };
  node.run(with_place(1, "exit 4"));
  node.start(with_place(2, "sleep 1000"));
  node.start(with_place(3, "sleep 1000"));
  REQUIRE(node.wait([&] { return node.started.size() == 3; }));
  for (const bool keeper_too : {false, true, true}) {
    CAPTURE(keeper_too);
    node.lose_agent();
    if (keeper_too) node.kill_keeper();
    const auto listing = node.connect();
    REQUIRE(listing.has_value());
    REQUIRE(listing->attempts.size() == 3);
    for (const auto& kept : listing->attempts) {
      CHECK(kept.millicores == 1500);
      CHECK(kept.memory_bytes == std::uint64_t{3} << 30);
      CHECK(kept.numa_node.has_value() == (kept.key == node.key(2)));
    }
  }
}

TEST_CASE("what a task leaves behind while no keeper is there is ended by the next one") {
  Node node;
  REQUIRE(node.connect());
  REQUIRE(::mkfifo((node.out_directory() + "/gate").c_str(), 0600) == 0);
  node.start(node.shell(1, "(setsid sh -c 'echo $$ > far; exec sleep 1000' &); echo $$ > ready; read line < gate"));
  const pid_t far = node.wait_for_pid("far");
  const pid_t main = node.wait_for_pid("ready");
  node.kill_keeper();
  write_file(node.out_directory() + "/gate", "go\n");
  REQUIRE(eventually([&] { return is_gone(main); }));
  CHECK_FALSE(is_gone(far));
  REQUIRE(node.connect());
  const auto ended = node.wait_for_end(1);
  CHECK(ended.outcome.kind == OutcomeKind::unknown);
  CHECK(ended.message.find("left behind") != std::string::npos);
  CHECK(is_gone(far));
}

TEST_CASE("what hides from its task but still writes to the task's files is found by the next keeper") {
  Node node;
  REQUIRE(node.connect());
  REQUIRE(::mkfifo((node.out_directory() + "/gate").c_str(), 0600) == 0);
  node.start(node.shell(1, "env -i setsid sh -c 'echo $$ > far; exec sleep 1000' & echo $$ > ready; read line < gate"));
  const pid_t far = node.wait_for_pid("far");
  const pid_t main = node.wait_for_pid("ready");
  node.kill_keeper();
  write_file(node.out_directory() + "/gate", "go\n");
  REQUIRE(eventually([&] { return is_gone(main); }));
  CHECK_FALSE(is_gone(far));
  REQUIRE(node.connect());
  CHECK(node.wait_for_end(1).outcome.kind == OutcomeKind::unknown);
  CHECK(is_gone(far));
}

TEST_CASE("a task that was asked to end before the keeper died is ended by the next one") {
  Node node;
  REQUIRE(node.connect());
  node.start(node.shell(1, "trap '' TERM; echo $$ > ready; while :; do sleep 0.05; done"));
  const pid_t pid = node.wait_for_pid("ready");
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 300ms).has_value());
  node.run(node.shell(2, "true"));  // the wish is in the journal now
  node.kill_keeper();
  REQUIRE(node.connect());
  const auto ended = node.wait_for_end(1);
  CHECK(ended.by_request);
  CHECK(is_gone(pid));
}

TEST_CASE("after a reboot nothing runs, and everything is told in a new session") {
  Node node;
  const auto first = node.connect();
  REQUIRE(first.has_value());
  node.run(node.shell(1, "exit 4"));
  node.run(node.shell(2, "exit 5"));
  node.start(node.shell(3, "sleep 1000"));
  REQUIRE(node.wait([&] { return node.started.contains(3); }));
  const auto pid = static_cast<pid_t>(node.started[3].pid);
  REQUIRE(node.port().confirm(1).has_value());
  node.run(node.shell(4, "true"));
  node.kill_keeper();
  ::kill(-pid, SIGKILL);
  // The same journal, from another boot, which has none of the cgroups before.
  keeper::Cgroup cgroup(node.cgroup(), node.key(3));
  CHECK(eventually([&cgroup] { return cgroup.remove(); }));
  auto bytes = contents_of(node.state_directory() + "/journal");
  bytes.replace(0, keeper::kJournalHeaderBytes,
                keeper::encode_journal_header({first->session.journal_id, std::string(32, 'b')}));
  write_file(node.state_directory() + "/journal", bytes);
  const auto listing = node.connect();
  REQUIRE(listing.has_value());
  CHECK(listing->session == first->session);  // whose boot is this one's again
  CHECK(listing->run == RunId{2});
  CHECK(listing->confirmed == 0);
  REQUIRE(listing->attempts.size() == 3);
  CHECK(listing->attempts[0].key == node.key(2));
  CHECK(listing->attempts[0].record == 1);
  CHECK(listing->attempts[1].key == node.key(4));
  CHECK(listing->attempts[2].key == node.key(3));
  CHECK(listing->attempts[2].outcome.kind == OutcomeKind::unknown);
  CHECK(listing->attempts[2].message == "node restarted");
}

TEST_CASE("a journal cut at any byte brings up a keeper that tells a beginning of the truth") {
  Node node;
  REQUIRE(node.connect());
  node.run(node.shell(1, "exit 1"));
  node.run(node.shell(2, "exit 2"));
  REQUIRE(node.port().confirm(1).has_value());
  node.run(node.shell(3, "exit 3"));
  const auto truth = node.ended;
  node.kill_keeper();
  const auto bytes = journal_of(node);
  // Every record's edges and a byte in each record's head and body: each byte is cut at by the test of the reader.
  for (std::size_t size = 0; size <= bytes.size(); size += size < 70 ? 23 : 11) {
    CAPTURE(size);
    write_file(node.state_directory() + "/journal", bytes.substr(0, size));
    const auto listing = node.connect();
    REQUIRE(listing.has_value());
    REQUIRE(node.wait([&] {
      return node.ended.size() == node.started.size() || node.started.empty() ||
             node.ended.size() >= listing->attempts.size();
    }));
    for (const auto& [number, ended] : node.ended) {
      REQUIRE(truth.contains(number));
      if (ended.outcome.kind != OutcomeKind::unknown) CHECK(ended.outcome == truth.at(number).outcome);
    }
    node.kill_keeper();
  }
}

TEST_CASE("a changed byte in the middle of a journal sets it aside, and running tasks go on") {
  Node node;
  const auto first = node.connect();
  REQUIRE(first.has_value());
  node.start(node.shell(1, "sleep 1000"));
  REQUIRE(node.wait([&] { return node.started.contains(1); }));
  node.run(node.shell(2, "exit 2"));
  node.run(node.shell(3, "exit 3"));
  node.kill_keeper();
  auto bytes = journal_of(node);
  bytes[bytes.find("/2.err")] = '!';
  write_file(node.state_directory() + "/journal", bytes);
  const auto listing = node.connect();
  REQUIRE(listing.has_value());
  CHECK(listing->session.journal_id != first->session.journal_id);
  CHECK(contents_of(node.state_directory() + "/journal.damaged-1") == bytes);
  CHECK(contents_of(node.state_directory() + "/keeper.log").find("journal.damaged-1") != std::string::npos);
  REQUIRE(listing->attempts.size() == 1);
  CHECK(listing->attempts[0].key == node.key(1));
  CHECK(listing->attempts[0].state == KeptState::running);
}

TEST_CASE("a full disk starts nothing, loses nothing, and is forgotten when there is space") {
  ScratchDirectory scratch;
  if (::mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=1m") != 0) {
    MESSAGE("skipped: only root can mount a small file system");
    return;
  }
  {
    Node node({.state_directory = scratch / "state"});
    REQUIRE(node.connect());
    const auto gate_path = node.out_directory() + "/gate";
    REQUIRE(::mkfifo(gate_path.c_str(), 0600) == 0);
    // More than its journal has space for, and these take all that there is.
    std::uint64_t running = 0;
    const keeper::Descriptor filler(::open((scratch / "filler").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    for (int size = 1 << 20; size >= 4096; size /= 2) {
      struct stat status {};
      ::fstat(filler.get(), &status);
      while (::fallocate(filler.get(), 0, status.st_size, size) == 0) ::fstat(filler.get(), &status);
    }
    constexpr std::uint64_t kTasks = 200;
    for (std::uint64_t number = 1; number <= kTasks; ++number)
      node.start(node.shell(number, "read line < gate; exit 3"));
    REQUIRE(node.wait([&] { return node.started.size() + node.ended.size() == kTasks; }));
    running = node.started.size();
    CHECK(running > 0);
    CHECK(running < kTasks);
    for (const auto& [number, ended] : node.ended) {
      CHECK(ended.outcome == Outcome{OutcomeKind::never_started, ENOSPC});
      CHECK_FALSE(exists(node.out_path(number)));
    }
    // Whatever was started can be recorded to its end.
    const keeper::Descriptor gate(::open(gate_path.c_str(), O_RDWR | O_CLOEXEC));
    const std::string lines(running, '\n');
    REQUIRE(::write(gate.get(), lines.data(), lines.size()) == static_cast<ssize_t>(running));
    REQUIRE(node.wait([&] { return node.ended.size() == kTasks; }));
    const auto told = node.ended;
    node.kill_keeper();
    REQUIRE(::ftruncate(filler.get(), 0) == 0);
    REQUIRE(node.connect());
    for (const auto& [number, ended] : told) CHECK(node.ended[number] == ended);
    CHECK(node.run(node.shell(kTasks + 1, "true")).outcome == Outcome{OutcomeKind::exited, 0});
  }
  ::umount2(scratch.path().c_str(), MNT_DETACH);
}
