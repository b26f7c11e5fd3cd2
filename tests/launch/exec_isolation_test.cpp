#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "running_exec.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::test;

namespace {

// Namespaces are root's, and not in every container.
bool cannot(const char* option) {
  const auto ran = run_exec({option, "--", "true"});
  if (code_of(ran) == 0) return false;
  MESSAGE("skipped: " << ran.errors);
  CHECK(std::getenv("HAKURIVER_NO_SKIP") == nullptr);
  return true;
}

}  // namespace

TEST_CASE("another user, with the groups that are named and no others") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can become another user");
    return;
  }
  const auto ran = run_exec({"--user", "65534:65533:12,34", "--", "sh", "-c", "id -u; id -g; id -G"});
  CHECK(ran.output == "65534\n65533\n65533 12 34\n");
}

TEST_CASE("a user that cannot be become starts nothing") {
  if (::geteuid() == 0) {
    const auto ran = run_exec({"--user", "65534:65534", "--", HAKURIVER_TEST_EXEC, "--user", "0:0", "--", "id"});
    CHECK(code_of(ran) != 0);
    CHECK(ran.output.empty());
    return;
  }
  const auto ran = run_exec({"--report-fd", "3", "--user", "0:0", "--", "id"});
  CHECK(code_of(ran) == 125);
  CHECK(ran.report.substr(1) == "1 becoming user 0: Operation not permitted\n");
}

TEST_CASE("a private network has a loopback, which works, and nothing else") {
  if (cannot("--private-network")) return;
  const auto ran = run_exec({"--private-network", "--", "sh", "-c",
                             "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; grep -c . /proc/net/route; "
                             "cat /proc/net/if_inet6 /proc/net/fib_trie | grep -c '127.0.0.1'"});
  CHECK(ran.output.starts_with("lo\n"));
  CHECK(ran.output.find("\n0\n") == std::string::npos);
  // The machine's own may be as bare.
  const Argv look{"readlink", "/proc/self/ns/net"};
  CHECK(run_exec({"--private-network", "--", look[0], look[1]}).output != run_exec({"--", look[0], look[1]}).output);
}

TEST_CASE("a private process table holds the task and its first process only") {
  if (cannot("--private-pid")) return;
  const auto ran =
      run_exec({"--report-fd", "3", "--private-pid", "--", "sh", "-c", "echo $$; ls -d /proc/[0-9]* | wc -l; exit 3"});
  CHECK(code_of(ran) == 3);
  const auto line = ran.output.find('\n');
  CHECK(std::stoi(ran.output) <= 3);               // 2, unless a sanitizer's thread took that number
  CHECK(std::stoi(ran.output.substr(line)) <= 4);  // the first, the shell, ls and wc
  CHECK(ran.report.find(':') != std::string::npos);
}

TEST_CASE("statuses come out of a private process table as they are") {
  if (cannot("--private-pid")) return;
  for (const int number : {SIGTERM, SIGKILL, SIGHUP, SIGSEGV}) {
    CAPTURE(number);
    const auto ran = run_exec({"--private-pid", "--", "sh", "-c", "kill -" + std::to_string(number) + " $$"});
    CHECK(WIFSIGNALED(ran.wait_status));
    CHECK(WTERMSIG(ran.wait_status) == number);
  }
  CHECK(code_of(run_exec({"--private-pid", "--", "nothing-of-that-name"})) == 127);
  CHECK(code_of(run_exec({"--private-pid", "--", "/dev/null"})) == 126);
}

TEST_CASE("what is left in a private process table ends with it") {
  if (cannot("--private-pid")) return;
  const auto begin = std::chrono::steady_clock::now();
  const auto ran =
      run_exec({"--private-pid", "--", "sh", "-c",
                "(trap '' TERM; setsid sleep 1000) & (trap 'echo ended; exit' TERM; echo ready; "
                "while :; do sleep 0.1; done) & while ! grep -q ready /proc/self/fd/1; do :; done; exit 4"});
  CHECK(code_of(ran) == 4);
  CHECK(ran.output == "ready\nended\n");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
}

TEST_CASE("a private process table ends with the process outside, however that ended") {
  if (cannot("--private-pid")) return;
  const ScratchDirectory scratch;
  const std::string exec = HAKURIVER_TEST_EXEC;
  const auto ran = run_exec({"--", "sh", "-c",
                             "cd " + scratch.path() + "; mkfifo said; " + exec +
                                 " --private-pid -- sh -c 'echo up; exec sleep 100' >said & exec 5<said; "
                                 "read word <&5; kill -9 $!; timeout 60 cat <&5 && echo $word and gone"});
  CHECK(ran.output == "up and gone\n");
}

TEST_CASE("what a private process table mounts is not seen outside") {
  if (cannot("--private-pid")) return;
  const std::string exec = HAKURIVER_TEST_EXEC;
  const Argv shared{"--", "unshare", "--mount", "--propagation", "shared", "sh", "-c"};
  const auto run_shared = [&shared](const std::string& script) {
    Argv words = shared;
    words.push_back(script);
    return run_exec(words);
  };
  if (code_of(run_shared("true")) != 0) {
    MESSAGE("skipped: no mount namespace can be made here");
    CHECK(std::getenv("HAKURIVER_NO_SKIP") == nullptr);
    return;
  }
  const auto ran = run_shared("list() { cut -d' ' -f5 /proc/self/mountinfo; }; before=$(list); " + exec +
                              " --private-pid -- true && [ \"$before\" = \"$(list)\" ] && echo same");
  CHECK(ran.output == "same\n");
}
