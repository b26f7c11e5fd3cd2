#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "keeper/connect.hpp"
#include "keeper/frame_stream.hpp"
#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<KeeperPort> second_agent(const Node& node) {
  auto port = keeper::open_keeper({.state_directory = node.state_directory(), .keeper_program = HAKURIVER_TEST_KEEPER});
  REQUIRE(port.has_value());
  return std::move(*port);
}

void send_what_is_queued(Node& node) {
  node.wait([polls = 0]() mutable { return ++polls > 1; });
}

// What the keeper answers to these bytes before it closes; empty where it stays open for as long as a task takes.
std::string answer_to(Node& node, const std::string& bytes) {
  const auto socket = keeper::connect_to_keeper(node.state_directory());
  REQUIRE(socket.has_value());
  static_cast<void>(::send(socket->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
  ::shutdown(socket->get(), SHUT_WR);
  std::string answer;
  while (true) {
    pollfd ready{socket->get(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 30'000) == 1);
    char buffer[4096];
    const auto count = ::read(socket->get(), buffer, sizeof buffer);
    if (count <= 0) return answer;
    answer.append(buffer, static_cast<std::size_t>(count));
  }
}

}  // namespace

TEST_CASE("the first listing is an empty one, and each agent is a run") {
  Node node;
  const auto first = node.connect("alpha", Epoch{3});
  REQUIRE(first.has_value());
  CHECK(first->run == RunId{1});
  CHECK(first->cluster_id == "alpha");
  CHECK(first->epoch == Epoch{3});
  CHECK(first->attempts.empty());
  CHECK(first->session.journal_id.size() == 32);
  CHECK(first->session.boot_id.size() == 32);
  const auto second = node.connect("alpha", Epoch{3});
  REQUIRE(second.has_value());
  CHECK(second->run == RunId{2});
  CHECK(second->session == first->session);
}

TEST_CASE("the socket, the journal, the log and the lock are for their user only") {
  Node node;
  REQUIRE(node.connect());
  namespace fs = std::filesystem;
  for (const char* name : {"keeper.sock", "journal", "keeper.log", "lock"}) {
    CAPTURE(name);
    CHECK(fs::status(node.state_directory() + "/" + name).permissions() ==
          (fs::perms::owner_read | fs::perms::owner_write));
  }
  CHECK(fs::status(node.state_directory()).permissions() == fs::perms::owner_all);
}

TEST_CASE("a second agent cuts off the first and sees its tasks") {
  Node node;
  REQUIRE(node.connect());
  node.start(node.shell(1, "sleep 1000"));
  REQUIRE(node.wait([&] { return node.started.contains(1); }));
  const auto second = second_agent(node);
  const auto listing = second->take_over("cluster", Epoch{1});
  REQUIRE(listing.has_value());
  REQUIRE(listing->attempts.size() == 1);
  CHECK(listing->attempts[0] == node.started[1]);
  REQUIRE(node.wait([&] { return !node.gone.empty(); }));
  CHECK(node.gone.size() == 1);
  CHECK(node.gone[0].code == Errc::conflict);
  CHECK(node.port().start(node.shell(2, "true")).has_value() == false);
}

TEST_CASE("a lower epoch is denied and another cluster is refused while attempts are held") {
  Node node;
  REQUIRE(node.connect("alpha", Epoch{5}));
  CHECK(node.connect("alpha", Epoch{4}).error().code == Errc::denied);
  REQUIRE(node.connect("alpha", Epoch{5}));
  node.run(node.shell(1, "true"));
  CHECK(node.connect("beta", Epoch{9}).error().code == Errc::conflict);
  REQUIRE(node.connect("alpha", Epoch{6}));
  REQUIRE(node.port().confirm(1).has_value());
  node.run(node.shell(2, "true"));  // the confirmation was before it
  CHECK(node.ended[2].record == 2);
  REQUIRE(node.port().confirm(2).has_value());
  send_what_is_queued(node);
  const Session alpha = node.connect("alpha", Epoch{6})->session;
  REQUIRE(eventually([&] { return node.connect("beta", Epoch{1}).has_value(); }));
  // What beta confirms must not be mistaken for alpha's.
  const auto listing = node.connect("beta", Epoch{1});
  REQUIRE(listing.has_value());
  CHECK(listing->session.journal_id != alpha.journal_id);
  CHECK(listing->session.boot_id == alpha.boot_id);
  CHECK(listing->confirmed == 0);
  node.run(node.shell(3, "true"));
  CHECK(node.ended[3].record == 1);
  node.kill_keeper();
  const auto again = node.connect("beta", Epoch{1});
  REQUIRE(again.has_value());
  CHECK(again->session == listing->session);
  CHECK(again->attempts.size() == 1);
}

TEST_CASE("what is confirmed is listed no more, and its numbers are not given again") {
  Node node;
  REQUIRE(node.connect());
  for (std::uint64_t number = 1; number <= 5; ++number) node.run(node.shell(number, "true"));
  REQUIRE(node.port().confirm(3).has_value());
  REQUIRE(node.port().confirm(2).has_value());
  node.run(node.shell(6, "true"));
  const auto listing = node.connect();
  REQUIRE(listing.has_value());
  CHECK(listing->confirmed == 3);
  REQUIRE(listing->attempts.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(listing->attempts[i].record == i + 4);
  // More than there is confirms what there is.
  REQUIRE(node.port().confirm(1000).has_value());
  CHECK(node.run(node.shell(7, "true")).record == 7);
}

TEST_CASE("garbage closes its own connection and disturbs nobody") {
  Node node;
  REQUIRE(node.connect());
  node.start(node.shell(1, "sleep 1000"));
  REQUIRE(node.wait([&] { return node.started.contains(1); }));
  std::string frame_too_long = "\xff\xff\xff\x7f";
  std::string start_first;
  keeper::append_frame(start_first, keeper::FrameType::start, keeper::encode_start(node.shell(2, "true")));
  std::string other_version;
  keeper::append_frame(other_version, keeper::FrameType::hello, keeper::encode_hello({7, 9, "cluster", Epoch{1}}));
  std::string broken_hello;
  keeper::append_frame(broken_hello, keeper::FrameType::hello, "nonsense");
  for (const auto& bytes : {frame_too_long, std::string(4, '\0'), start_first, other_version, broken_hello,
                            std::string("GET / HTTP/1.1\r\n\r\n")}) {
    CAPTURE(bytes);
    CHECK_FALSE(answer_to(node, bytes).empty());
  }
  CHECK(answer_to(node, "\x05").find("closed") != std::string::npos);
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    std::string bytes(random() % 300, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    answer_to(node, bytes);
  }
  CHECK(node.run(node.shell(3, "true")).outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(node.gone.empty());
}

TEST_CASE("an agent that sends garbage after its hello is cut off, and its tasks go on") {
  Node node;
  REQUIRE(node.connect());
  node.start(node.shell(1, "sleep 1000"));
  REQUIRE(node.wait([&] { return node.started.contains(1); }));
  std::string bytes;
  keeper::append_frame(bytes, keeper::FrameType::hello, keeper::encode_hello({1, 1, "cluster", Epoch{1}}));
  keeper::append_frame(bytes, keeper::FrameType::start, "nonsense");
  CHECK(answer_to(node, bytes).find("start") != std::string::npos);
  const auto listing = node.connect();
  REQUIRE(listing.has_value());
  CHECK(listing->attempts.size() == 1);
}

TEST_CASE("an agent that does not read is cut off and finds everything when it comes back") {
  Node node;
  REQUIRE(node.connect());
  // Long messages, and more of them than the keeper holds for an agent that sleeps.
  constexpr std::uint64_t kTasks = 4000;
  auto request = node.shell(1, "true");
  request.stdout_path = "/nonexistent";
  while (request.stdout_path.size() < 3000) request.stdout_path += "/" + std::string(200, 'x');
  request.stderr_path = request.stdout_path;
  for (std::uint64_t number = 1; number <= kTasks; ++number) {
    request.key = node.key(number);
    REQUIRE(node.port().start(request).has_value());
  }
  const auto log = [&] { return contents_of(node.state_directory() + "/keeper.log"); };
  // Sending needs dispatch, which would read: so what is queued goes out by more requests.
  for (std::uint64_t number = 1; log().find("does not read") == std::string::npos && number < 2000; ++number) {
    ::usleep(10'000);
    static_cast<void>(node.port().confirm(0).has_value());
  }
  CHECK(log().find("does not read") != std::string::npos);
  const auto listing = node.connect();
  REQUIRE(listing.has_value());
  CHECK(listing->attempts.size() > 2500);
  CHECK(listing->attempts.back().record == listing->attempts.size());
}

TEST_CASE("a state directory whose socket path is too long for a socket works all the same") {
  ScratchDirectory scratch;
  std::string directory = scratch.path();
  for (int i = 0; i < 3; ++i) {
    directory += "/" + std::string(100, static_cast<char>('a' + i));
    std::filesystem::create_directory(directory);
  }
  Node node({.state_directory = directory + "/state"});
  REQUIRE(node.connect());
  CHECK(node.run(node.shell(1, "true")).outcome == Outcome{OutcomeKind::exited, 0});
}

TEST_CASE("another user is refused") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can be another user");
    return;
  }
  Node node;
  REQUIRE(node.connect());
  std::filesystem::permissions(node.state_directory(), std::filesystem::perms(0755));
  std::filesystem::permissions(std::filesystem::path(node.state_directory()).parent_path(),
                               std::filesystem::perms(0755));
  std::filesystem::permissions(node.state_directory() + "/keeper.sock", std::filesystem::perms(0666));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setuid(65534) != 0) ::_exit(2);
    const auto socket = keeper::connect_to_keeper(node.state_directory());
    if (!socket) ::_exit(3);
    pollfd ready{socket->get(), POLLIN, 0};
    char byte = 0;
    ::_exit(::poll(&ready, 1, 20'000) == 1 && ::read(socket->get(), &byte, 1) <= 0 ? 0 : 4);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(node.run(node.shell(1, "true")).outcome == Outcome{OutcomeKind::exited, 0});
}

TEST_CASE("a keeper goes when its tasks, confirmations and agent are gone, and not before") {
  Node node({.linger_ms = 50});
  REQUIRE(node.connect());
  const pid_t keeper = node.keeper_pid();
  node.run(node.shell(1, "true"));
  node.lose_agent();
  REQUIRE(node.connect());
  CHECK(node.keeper_pid() == keeper);  // a record was not confirmed
  REQUIRE(node.ended.contains(1));
  REQUIRE(node.port().confirm(1).has_value());
  node.run(node.shell(2, "true"));
  REQUIRE(node.port().confirm(2).has_value());
  send_what_is_queued(node);
  const auto session = node.connect()->session;
  node.lose_agent();
  REQUIRE(eventually([&] { return is_gone(keeper); }));
  CHECK_FALSE(exists(node.state_directory() + "/keeper.sock"));
  const auto listing = node.connect();
  REQUIRE(listing.has_value());
  CHECK(listing->session == session);
  CHECK(listing->run == RunId{4});
  CHECK(listing->attempts.empty());
  CHECK(listing->confirmed == 2);
}

TEST_CASE("a keeper that no agent comes to goes") {
  ScratchDirectory scratch;
  REQUIRE(keeper::launch_keeper({.state_directory = scratch.path(),
                                 .keeper_program = HAKURIVER_TEST_KEEPER,
                                 .extra_arguments = {"--linger-ms=50"}}));
  CHECK(eventually([&] { return !exists(scratch / "keeper.sock"); }));
}

TEST_CASE("a keeper whose directory was removed does not wait for ever for a confirmation") {
  Node node({.linger_ms = 50});
  REQUIRE(node.connect());
  node.run(node.shell(1, "true"));
  const pid_t keeper = node.keeper_pid();
  node.lose_agent();
  CHECK_FALSE(is_gone(keeper));
  std::filesystem::remove_all(node.state_directory());
  CHECK(eventually([&] { return is_gone(keeper); }));
  std::filesystem::create_directory(node.state_directory());
}

TEST_CASE("a keeper program that is not there, or is none, is named") {
  ScratchDirectory scratch;
  for (const std::string program : {"/no/such/keeper", "/bin/false"}) {
    CAPTURE(program);
    const auto port = keeper::open_keeper({.state_directory = scratch / "state", .keeper_program = program});
    REQUIRE(port.has_value());
    const auto listing = (*port)->take_over("cluster", Epoch{1});
    REQUIRE_FALSE(listing.has_value());
    CHECK(listing.error().message.find(program == "/bin/false" ? "did not start" : program) != std::string::npos);
  }
  CHECK_FALSE(keeper::open_keeper({.state_directory = "relative", .keeper_program = "/bin/false"}).has_value());
}

TEST_CASE("the keeper is nobody's child and in nobody's group, and holds nothing of its agent") {
  Node node;
  REQUIRE(node.connect());
  const auto stat = contents_of("/proc/" + std::to_string(node.keeper_pid()) + "/stat");
  int parent = 0;
  int group = 0;
  int session = 0;
  std::sscanf(stat.c_str() + stat.rfind(')') + 2, "%*c %d %d %d", &parent, &group, &session);
  CHECK(parent != ::getpid());
  CHECK(group == node.keeper_pid());
  CHECK(session == node.keeper_pid());
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(node.keeper_pid()) + "/fd")) {
    const auto target = std::filesystem::read_symlink(entry.path()).string();
    CAPTURE(target);
    CHECK((target == "/dev/null" || target.starts_with(node.state_directory()) || target.starts_with("anon_inode:") ||
           target.starts_with("socket:")));
  }
}
