#include "launch/account.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::launch;

TEST_CASE("an account is read back as it was written") {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path() + "/account";
  const std::vector<Account> table{{{OutcomeKind::exited, 0}, 0, 0},
                                   {{OutcomeKind::exited, 255}, 1, 2},
                                   {{OutcomeKind::signaled, SIGTERM}, ~std::uint64_t{0}, 4096},
                                   {{OutcomeKind::oom_killed, SIGKILL}, 5, 0}};
  for (const auto& account : table) {
    REQUIRE(write_account(path, account));
    const auto read = parse_account(test::contents_of(path));
    REQUIRE(read);
    CHECK(*read == account);
  }
  CHECK_FALSE(write_account(scratch.path() + "/not/there", table[0]));
}

TEST_CASE("an account without an outcome is none") {
  for (const std::string text : {"", "cpu_microseconds 3\n", "ended 3\n", "exite"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_account(text));
  }
}

TEST_CASE("a status says how a command ended") {
  CHECK(take_account(3 << 8).outcome == Outcome{OutcomeKind::exited, 3});
  CHECK(take_account(0).outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(take_account(SIGTERM).outcome == Outcome{OutcomeKind::signaled, SIGTERM});
}
