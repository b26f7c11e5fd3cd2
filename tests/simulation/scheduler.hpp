// Virtual time and chance: everything in a simulated cluster comes from one seed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/time.hpp"

namespace hakuriver::simulation {

using std::chrono::microseconds;
using namespace std::chrono_literals;

// splitmix64: the same numbers on every machine and with every compiler.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  // 0 to bound - 1.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  bool chance(double probability) { return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability; }
  microseconds between(microseconds low, microseconds high) {
    return low + microseconds{static_cast<std::int64_t>(below(static_cast<std::uint64_t>((high - low).count()) + 1))};
  }

 private:
  std::uint64_t state_;
};

// Runs what is due, in the order of time, then of asking.
class Scheduler {
 public:
  MonotonicTime now() const { return now_; }

  void after(microseconds delay, std::function<void()> action) {
    queue_.push({now_ + delay, ++asked_, std::move(action)});
  }
  void stop() { stopped_ = true; }
  void run_until(MonotonicTime end) {
    while (!stopped_ && !queue_.empty() && queue_.top().at <= end) {
      const Entry next = queue_.top();
      queue_.pop();
      now_ = next.at;
      next.action();
    }
    if (!stopped_) now_ = end;
  }

 private:
  struct Entry {
    MonotonicTime at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator<(const Entry& other) const { return at != other.at ? other.at < at : other.order < order; }
  };
  std::priority_queue<Entry> queue_;
  MonotonicTime now_{1'000'000};
  std::uint64_t asked_ = 0;
  bool stopped_ = false;
};

// Says what happens, if anybody reads it.
class Trace {
 public:
  Trace(const Scheduler& scheduler, bool on) : scheduler_(scheduler), on_(on) {}

  bool on() const { return on_; }
  template <class... Parts>
  void say(const Parts&... parts) const {
    if (!on_) return;
    std::cout << static_cast<double>(scheduler_.now().microseconds) / 1e6 << "  ";
    (std::cout << ... << parts) << '\n';
  }

 private:
  const Scheduler& scheduler_;
  bool on_;
};

}  // namespace hakuriver::simulation
