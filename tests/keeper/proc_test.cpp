#include "keeper/proc.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

using namespace hakuriver;
using namespace hakuriver::keeper;

#include "keeper/clocks.hpp"

namespace {
// The fields of proc(5) from the state on, as a kernel wrote them.
constexpr const char* kFields =
    " S 1 4711 4712 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 3 0 123456789 1000 200 18446744073709551615 1 1 0 0 0 0 0 0 "
    "0\n";
}  // namespace

TEST_CASE("a process's line is read whatever its name is") {
  for (const std::string name : {"sh", "a b", "x) S 1 1 1", "()", ")", ""}) {
    CAPTURE(name);
    const auto stat = parse_stat("4713 (" + name + ")" + kFields);
    REQUIRE(stat.has_value());
    CHECK(stat->pid == 4713);
    CHECK(stat->name == name);
    CHECK(stat->state == 'S');
    CHECK(stat->parent == 1);
    CHECK(stat->session == 4712);
    CHECK(stat->threads == 3);
    CHECK(stat->start_ticks == 123456789u);
  }
}

TEST_CASE("a line that is cut short is no process") {
  const std::string line = "4713 (sh)" + std::string(kFields);
  for (std::size_t size = 0; size < line.find("123456789"); ++size) {
    CAPTURE(size);
    CHECK_FALSE(parse_stat(line.substr(0, size)).has_value());
  }
}

TEST_CASE("an environment names an attempt by both variables only") {
  const auto text = [](std::string words) {
    std::replace(words.begin(), words.end(), ' ', '\0');
    return words;
  };
  const AttemptKey key{TaskId{77}, Attempt{2}};
  CHECK(parse_attempt(text("A=1 HAKURIVER_TASK_ID=77 B=2 HAKURIVER_TASK_ATTEMPT=2 ")) == key);
  CHECK(parse_attempt(text("HAKURIVER_TASK_ATTEMPT=2 HAKURIVER_TASK_ID=77")) == key);
  for (const char* words : {"", "HAKURIVER_TASK_ID=77 ", "HAKURIVER_TASK_ID=x HAKURIVER_TASK_ATTEMPT=2 ",
                            "XHAKURIVER_TASK_ID=77 HAKURIVER_TASK_ATTEMPT=2 ",
                            "HAKURIVER_TASK_ID=99999999999999999999999 HAKURIVER_TASK_ATTEMPT=1"}) {
    CAPTURE(words);
    CHECK_FALSE(parse_attempt(text(words)).has_value());
  }
}

TEST_CASE("when a process was made is known without reading it, and is what /proc says") {
  int told_at_once = 0;
  for (int i = 0; i < 100; ++i) {
    const auto before = ticks_since_boot();
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    REQUIRE(pid > 0);
    if (ticks_since_boot() == before) ++told_at_once;
    const auto ticks = start_ticks_since(before, pid);
    const auto stat = read_stat(pid);  // a zombie has one until it is reaped
    ::waitpid(pid, nullptr, 0);
    REQUIRE(stat.has_value());
    CHECK(ticks == stat->start_ticks);
  }
  CHECK(told_at_once > 0);
}

TEST_CASE("the table of processes knows this one and its parent") {
  const auto table = ProcessTable::read();
  const auto* self = table.find(::getpid());
  REQUIRE(self != nullptr);
  CHECK(self->parent == ::getppid());
  CHECK(self->session == ::getsid(0));
  const auto family = table.with_descendants({::getppid()});
  CHECK(std::find(family.begin(), family.end(), ::getpid()) != family.end());
  const auto session = table.session(::getsid(0));
  CHECK(std::find(session.begin(), session.end(), ::getpid()) != session.end());
}
