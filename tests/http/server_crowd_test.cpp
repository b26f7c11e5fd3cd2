// Many clients at once on four workers.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "http/running_server.hpp"

using namespace hakuriver;
using namespace hakuriver::http;
using namespace hakuriver::test;

namespace {

// How many connections of `wanted` this process may have, both ends in it.
std::size_t affordable(std::size_t wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = 2 * wanted + 400;
  if (limit.rlim_cur < needed) {
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, needed);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= needed) return wanted;
  const std::size_t reduced = limit.rlim_cur > 800 ? (limit.rlim_cur - 400) / 2 : 100;
  MESSAGE("only ", reduced, " connections: at most ", limit.rlim_cur, " descriptors are allowed here");
  return reduced;
}

std::chrono::microseconds median_of_fresh_requests(const RunningServer& running) {
  std::vector<std::chrono::microseconds> times;
  for (int i = 0; i < 21; ++i) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(running.ask("GET /fresh HTTP/1.1\r\nHost: h\r\n\r\n").status() == 200);
    times.push_back(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start));
  }
  std::nth_element(times.begin(), times.begin() + 10, times.end());
  return times[10];
}

// Of all threads of this process.
rusage usage() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used;
}

std::chrono::microseconds cpu_time(const rusage& used) {
  return std::chrono::seconds(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         std::chrono::microseconds(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

}  // namespace

TEST_CASE("two thousand idle connections and sixty-four slow ones delay nobody and cost nothing") {
  const auto count = affordable(2000);
  RunningServer running;
  std::vector<RawClient> idle;
  for (std::size_t i = 0; i < count; ++i) {
    idle.push_back(running.connect());
    idle.back().get("/");
    REQUIRE(idle.back().read().status() == 200);
  }
  std::vector<RawClient> slow;
  for (int i = 0; i < 64; ++i) {
    slow.push_back(running.connect());
    slow.back().send(i % 2 == 0 ? "GET / HTTP/1.1\r\nX-Slow: a"
                                : "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx");
  }
  CHECK(eventually([&] { return running.server->connection_count() == count + 64; }));
  const auto median = median_of_fresh_requests(running);
  MESSAGE("median of a fresh request: ", median.count(), " us");
  CHECK(median < std::chrono::milliseconds(50));

  const auto before = usage();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // the thing measured: nothing happens for a while
  const auto after = usage();
  CHECK(cpu_time(after) - cpu_time(before) < std::chrono::milliseconds(60));
  CHECK(after.ru_nvcsw - before.ru_nvcsw < 20);  // each wake-up of a thread ends in one

  std::size_t served = 0;
  for (auto& client : idle) {
    client.get("/again");
    served += client.read().status() == 200 ? 1 : 0;
  }
  CHECK(served == count);
  const auto start = std::chrono::steady_clock::now();
  running.server->stop();
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}

TEST_CASE("fifty clients that connect at the same moment are all served without a retransmission") {
  RunningServer running;
  std::promise<void> start;
  const auto started = start.get_future().share();
  std::vector<std::future<std::chrono::milliseconds>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::async(std::launch::async, [&running, started] {
      started.wait();
      const auto begin = std::chrono::steady_clock::now();
      const auto reply = running.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
      CHECK(reply.status() == 200);
      return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    }));
  }
  start.set_value();
  std::vector<std::chrono::milliseconds> times;
  for (auto& client : clients) times.push_back(client.get());
  std::sort(times.begin(), times.end());
  // A connection that found the backlog full would come back a second later.
  CHECK(times[25] < std::chrono::milliseconds(900));
}

TEST_CASE("busy connections on many threads get each their own replies") {
  RunningServer running;
  std::vector<std::future<int>> clients;
  for (int c = 0; c < 8; ++c) {
    clients.push_back(std::async(std::launch::async, [&running, c] {
      auto client = running.connect();
      int right = 0;
      for (int i = 0; i < 300; ++i) {
        const auto path = "/" + std::to_string(c) + "-" + std::to_string(i);
        client.get(path);
        right += client.read().body == "GET " + path ? 1 : 0;
      }
      return right;
    }));
  }
  for (auto& client : clients) CHECK(client.get() == 300);
}
