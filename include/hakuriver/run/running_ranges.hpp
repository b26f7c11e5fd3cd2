// The positions that run, as ranges: a million that were started by one order are one entry until they end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <map>
#include <optional>

#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

// How far an attempt is on its way to its end, where it has to be brought there.
enum class RunningState : std::uint8_t { runs = 0, terminated = 1, killed = 2 };

struct RunningRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint32_t attempt = 1;
  RunningState state = RunningState::runs;
  MonotonicTime since;  // when it came into its state
};

class RunningRanges {
 public:
  // How many positions.
  std::uint64_t size() const noexcept { return size_; }

  void add(std::uint64_t first, std::uint64_t count, std::uint32_t attempt, MonotonicTime now) {
    List& list = list_of(RunningState::runs);
    by_first_.emplace(first, list.insert(list.end(), {first, count, attempt, RunningState::runs, now}));
    size_ += count;
  }

  // The lowest position; the highest number there is where nothing runs.
  std::uint64_t first() const noexcept { return by_first_.empty() ? ~std::uint64_t{0} : by_first_.begin()->first; }

  // The range that has the position.
  std::optional<RunningRange> find(std::uint64_t position) const {
    auto found = by_first_.upper_bound(position);
    if (found == by_first_.begin()) return std::nullopt;
    --found;
    if (position - found->first >= found->second->count) return std::nullopt;
    return *found->second;
  }

  // All of the positions are in the range that has the first.
  void remove(std::uint64_t first, std::uint64_t count) {
    const auto found = std::prev(by_first_.upper_bound(first));
    const auto range = found->second;
    List& list = list_of(range->state);
    const std::uint64_t after = range->first + range->count - (first + count);
    if (after > 0) {
      RunningRange rest = *range;
      rest.first = first + count;
      rest.count = after;
      by_first_.emplace(rest.first, list.insert(std::next(range), rest));
    }
    range->count = first - range->first;
    size_ -= count;
    if (range->count > 0) return;
    list.erase(range);
    by_first_.erase(found);
  }

  // Of those in a state, which has been there the longest; null: there is none.
  const RunningRange* oldest(RunningState state) const noexcept {
    const List& list = lists_[static_cast<std::size_t>(state)];
    return list.empty() ? nullptr : &list.front();
  }

  // Brings the oldest of a state, which is not killed, to the next.
  void advance_oldest(RunningState state, MonotonicTime now) {
    const auto next = static_cast<RunningState>(static_cast<std::uint8_t>(state) + 1);
    List& from = list_of(state);
    List& to = list_of(next);
    to.splice(to.end(), from, from.begin());
    to.back().state = next;
    to.back().since = now;
  }

 private:
  using List = std::list<RunningRange>;

  List& list_of(RunningState state) noexcept { return lists_[static_cast<std::size_t>(state)]; }

  List lists_[3];  // by state, the oldest first
  std::map<std::uint64_t, List::iterator> by_first_;
  std::uint64_t size_ = 0;
};

}  // namespace v1
}  // namespace hakuriver
