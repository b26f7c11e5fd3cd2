// A sweep: axes, and so their combinations, none of which exists until it is asked for.
//
//   const auto sweep = Sweep::over({Axis(ValueList{{"a", "b"}}), Axis(ValueList{{"x", "y", "z"}})});
//   sweep->size()           6
//   sweep->positions(4)     {1, 1}: "b" "y"
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/axis.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// Which axis changes first from one combination to the next. It belongs to the sweep and travels with it.
enum class SweepOrder : std::uint8_t {
  first_slowest = 0,  // as nested loops in the order of the axes
  first_fastest = 1,
  together = 2,  // no product: all at once, the i-th combination has the i-th value of each axis
};

// Constant once made: any thread may read it.
class Sweep {
 public:
  // Without axes there is one combination; with an empty axis there is none. limit where there are more than 2^64 - 1;
  // invalid_argument where axes that are to change together differ in length.
  static Result<Sweep> over(std::vector<Axis> axes, SweepOrder order = SweepOrder::first_slowest) {
    if (order == SweepOrder::together) return over_pairs(std::move(axes));
    std::uint64_t size = 1;
    bool too_many = false;
    for (const auto& axis : axes) {
      if (axis.size() == 0) return Sweep(std::move(axes), order, 0);
      too_many = too_many || size > std::numeric_limits<std::uint64_t>::max() / axis.size();
      size *= axis.size();
    }
    if (too_many) return too_large(axes);
    return Sweep(std::move(axes), order, size);
  }

  std::uint64_t size() const noexcept { return size_; }
  SweepOrder order() const noexcept { return order_; }
  const std::vector<Axis>& axes() const noexcept { return axes_; }

  bool operator==(const Sweep&) const = default;

  // For each axis, which of its values the i-th combination has; i < size().
  std::vector<std::uint64_t> positions(std::uint64_t i) const {
    if (order_ == SweepOrder::together) return std::vector<std::uint64_t>(axes_.size(), i);
    std::vector<std::uint64_t> positions(axes_.size());
    for (std::size_t digit = 0; digit < axes_.size(); ++digit) {
      const std::size_t axis = order_ == SweepOrder::first_slowest ? axes_.size() - 1 - digit : digit;
      positions[axis] = i % axes_[axis].size();
      i /= axes_[axis].size();
    }
    return positions;
  }

 private:
  static Error too_large(const std::vector<Axis>& axes) {
    constexpr std::size_t kShown = 8;
    std::string product;
    for (std::size_t i = 0; i < axes.size() && i <= kShown; ++i) {
      product += (i == 0 ? "" : " x ") + (i < kShown ? std::to_string(axes[i].size()) : std::string("..."));
    }
    return {Errc::limit, product + " combinations are too many for one sweep: expected at most 18446744073709551615"};
  }

  static Result<Sweep> over_pairs(std::vector<Axis> axes) {
    const std::uint64_t size = axes.empty() ? 1 : axes.front().size();
    for (std::size_t i = 1; i < axes.size(); ++i) {
      if (axes[i].size() == size) continue;
      return Error{Errc::invalid_argument, "the first span has " + std::to_string(size) + " values and span number " +
                                               std::to_string(i + 1) + " has " + std::to_string(axes[i].size()) +
                                               ": spans can only be paired where they are of equal length"};
    }
    return Sweep(std::move(axes), SweepOrder::together, size);
  }

  Sweep(std::vector<Axis> axes, SweepOrder order, std::uint64_t size)
      : axes_(std::move(axes)), order_(order), size_(size) {}

  std::vector<Axis> axes_;
  SweepOrder order_;
  std::uint64_t size_;
};

}  // namespace v1
}  // namespace hakuriver
