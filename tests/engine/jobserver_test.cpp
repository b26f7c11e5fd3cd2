#include "engine/jobserver.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "engine/machine_room.hpp"

using namespace hakuriver;
using engine::Jobserver;

namespace {

struct Pipe {
  Pipe() { REQUIRE(::pipe(ends) == 0); }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::string flags() const {
    return "k -j3 --jobserver-auth=" + std::to_string(ends[0]) + "," + std::to_string(ends[1]);
  }
  // What is in it, taken out.
  std::string drain() const {
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    char bytes[64];
    const auto count = ::read(ends[0], bytes, sizeof bytes);
    return {bytes, count < 0 ? 0 : static_cast<std::size_t>(count)};
  }
  int ends[2] = {-1, -1};
};

bool is_readable(int descriptor) {
  pollfd waited{descriptor, POLLIN, 0};
  return ::poll(&waited, 1, 0) == 1;
}

}  // namespace

TEST_CASE("without a jobserver in MAKEFLAGS there is none to join") {
  for (const std::string flags : {"", "k", "-j4", "-j --jobserver-auth=-2,-2", "-- --jobserver-auth=3,4"}) {
    CAPTURE(flags);
    const auto joined = Jobserver::join(flags);
    REQUIRE(joined);
    CHECK(!*joined);
  }
}

TEST_CASE("a jobserver that is named but not there is an error that says why") {
  for (const std::string flags : {"--jobserver-auth=998,999", "--jobserver-auth=0,x", "--jobserver-auth=nonsense",
                                  "--jobserver-auth=fifo:/nowhere/fifo", "--jobserver-auth=fifo:/dev/null"}) {
    CAPTURE(flags);
    const auto joined = Jobserver::join(flags);
    REQUIRE(!joined);
    CHECK(joined.error().code == Errc::unavailable);
    CHECK(joined.error().message.find("'+'") != std::string::npos);
  }
}

TEST_CASE("the first command needs no token, each other takes one and gives the same one back") {
  const Pipe pipe;
  REQUIRE(::write(pipe.ends[1], "ab", 2) == 2);
  auto joined = Jobserver::join(pipe.flags());
  REQUIRE(joined);
  REQUIRE(*joined);
  Jobserver& server = **joined;
  CHECK(server.take());
  CHECK(server.take());
  CHECK(server.take());
  CHECK(!server.take());
  CHECK(!is_readable(server.descriptor()));
  server.give_back();
  CHECK(is_readable(server.descriptor()));
  CHECK(server.take());
  for (int i = 0; i < 5; ++i) server.give_back();  // more often than taken: changes nothing
  const std::string left = pipe.drain();
  CHECK((left == "ab" || left == "ba"));
  CHECK(server.makeflags(pipe.flags()) == pipe.flags());
}

TEST_CASE("tokens that are held at the end are given back, and the others' pipe keeps blocking") {
  const Pipe pipe;
  REQUIRE(::write(pipe.ends[1], "xy", 2) == 2);
  {
    auto joined = Jobserver::join(pipe.flags());
    REQUIRE(joined);
    Jobserver server(std::move(**joined));
    for (int i = 0; i < 3; ++i) CHECK(server.take());
    CHECK((::fcntl(pipe.ends[0], F_GETFL) & O_NONBLOCK) == 0);
  }
  CHECK(pipe.drain().size() == 2);
}

TEST_CASE("a jobserver may be a named pipe, and the last one named counts") {
  char directory[] = "/tmp/hakuriver-engine.XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  const std::string path = std::string(directory) + "/fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  {
    auto joined = Jobserver::join("--jobserver-auth=998,999 -j3 --jobserver-auth=fifo:" + path);
    REQUIRE(joined);
    REQUIRE(*joined);
    Jobserver& server = **joined;
    CHECK(server.take());
    CHECK(!server.take());
    const int other = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(::write(other, "t", 1) == 1);
    ::close(other);
    CHECK(server.take());
  }
  ::unlink(path.c_str());
  ::rmdir(directory);
}

TEST_CASE("what is offered can be joined by those who get its MAKEFLAGS") {
  auto offered = Jobserver::offer(3);
  REQUIRE(offered);
  CHECK(offered->take());
  const std::string flags = offered->makeflags("k -- CFLAGS=-O2");
  CHECK(flags.find("k -j3 --jobserver-auth=") == 0);
  CHECK(flags.substr(flags.size() - 14) == " -- CFLAGS=-O2");
  auto joined = Jobserver::join(flags);
  REQUIRE(joined);
  REQUIRE(*joined);
  Jobserver& child = **joined;
  CHECK(child.take());  // the one that its parent took for it
  CHECK(child.take());
  CHECK(offered->take());
  CHECK(!child.take());
  CHECK(!offered->take());
  child.give_back();
  CHECK(offered->take());
  CHECK(Jobserver::offer(1)->makeflags("").find(" -j1 ") == 0);
  CHECK(Jobserver::offer(10'000));
}

TEST_CASE("what the machine has left is read from its texts") {
  CHECK(engine::parse_load_average("0.52 0.58 0.59 1/467 12345\n") == 0.52);
  CHECK(engine::parse_runnable("0.52 0.58 0.59 17/467 12345\n") == 17);
  for (const auto* bad : {"", "1.0 2.0", "x/1", "/", "1.0 2.0 3.0 /4"}) CHECK(!engine::parse_runnable(bad));
  CHECK(!engine::parse_load_average(""));
  CHECK(!engine::parse_load_average("x 0.58"));
  CHECK(engine::parse_available_memory("MemTotal: 100 kB\nMemFree: 5 kB\nMemAvailable:   2048 kB\nX: 1 kB\n") ==
        2048 * 1024);
  CHECK(!engine::parse_available_memory("MemTotal: 100 kB\n"));
  CHECK(!engine::parse_available_memory("MemTotal: 1 kB\nMemAvailable: 3"));
  CHECK(engine::has_machine_room({1e9, 1}));
  CHECK(!engine::has_machine_room({0, std::uint64_t{1} << 60}));
  CHECK(engine::has_machine_room({}));
}
