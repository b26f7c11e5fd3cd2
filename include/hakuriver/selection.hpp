// Which combinations of a plan are wanted, and in which order: all of it, a stretch, a random sample, or a shuffle.
//
//   SelectionOptions options;
//   options.sample = 100;
//   options.seed = 7;
//   const Selection chosen(1'000'000'000'000, options);
//   chosen.size()    100
//   chosen.at(0)     one of 0 .. 999'999'999'999; no other place has the same
//
// Nothing is listed: a shuffle is a keyed permutation that is computed for one place at a time. The same seed gives the
// same order on every machine and in every release.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace hakuriver {
inline namespace v1 {

// A permutation of 0 .. size - 1 without a table, in constant time and memory.
//
// The numbers are pairs (left, right) of a rectangle with just over `size` fields, and pass through a Feistel network
// that adds a function of one half to the other (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). A
// result outside of the domain is sent through again until it is inside (cycle walking), which is seldom needed.
class Permutation {
 public:
  Permutation(std::uint64_t size, std::uint64_t seed) noexcept : size_(size), rows_(ceiling_of_root(size)) {
    columns_ = rows_ == 0 ? 0 : size / rows_ + (size % rows_ != 0 ? 1 : 0);
    std::uint64_t state = seed;
    for (auto& key : keys_) key = mix(state += kGoldenRatio);
  }

  std::uint64_t size() const noexcept { return size_; }

  // i < size().
  std::uint64_t at(std::uint64_t i) const noexcept {
    do {
      i = pass(i);
    } while (i >= size_);
    return i;
  }

 private:
  // 2^64 divided by the golden ratio: its multiples are spread evenly.
  static constexpr std::uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;

  // The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the result depends on every bit given.
  static constexpr std::uint64_t mix(std::uint64_t bits) noexcept {
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
    return bits ^ (bits >> 31);
  }

  // The smallest number whose square is not below `number`; at most 2^32.
  static constexpr std::uint64_t ceiling_of_root(std::uint64_t number) noexcept {
    std::uint64_t root = 0;
    for (std::uint64_t bit = std::uint64_t{1} << 31; bit != 0; bit >>= 1) {
      if ((root | bit) * (root | bit) <= number) root |= bit;
    }
    return root * root == number ? root : root + 1;
  }

  std::uint64_t pass(std::uint64_t i) const noexcept {
    std::uint64_t left = i / columns_;
    std::uint64_t right = i % columns_;
    for (std::size_t round = 0; round < keys_.size(); round += 2) {
      left = (left + mix(keys_[round] ^ right * kGoldenRatio) % rows_) % rows_;
      right = (right + mix(keys_[round + 1] ^ left * kGoldenRatio) % columns_) % columns_;
    }
    return left * columns_ + right;
  }

  std::uint64_t size_;
  std::uint64_t rows_;
  std::uint64_t columns_ = 0;
  std::array<std::uint64_t, 8> keys_{};  // one for each round
};

// First the order is made (shuffled, or as it is), then the sample is its beginning, and of that `from` and `limit` cut
// out a stretch. So a shuffled sweep can be divided among machines, and a sample with the same seed and a larger count
// begins with the smaller one.
struct SelectionOptions {
  std::uint64_t from = 1;               // the number of the first one wanted, from 1
  std::optional<std::uint64_t> limit;   // how many at most
  std::optional<std::uint64_t> sample;  // so many, chosen at random and in random order
  bool shuffle = false;
  std::uint64_t seed = 0;  // of shuffle and sample
  bool operator==(const SelectionOptions&) const = default;
};

// Constant once made: any thread may read it.
class Selection {
 public:
  // Of a plan of `plan_size` combinations. A stretch that lies beyond it is empty.
  Selection(std::uint64_t plan_size, const SelectionOptions& options) noexcept
      : permutation_(plan_size, options.seed), is_random_(options.shuffle || options.sample.has_value()) {
    const std::uint64_t ordered = std::min(options.sample.value_or(plan_size), plan_size);
    first_ = std::min(options.from == 0 ? 0 : options.from - 1, ordered);
    size_ = std::min(options.limit.value_or(ordered), ordered - first_);
  }

  std::uint64_t size() const noexcept { return size_; }

  // Whether at(k) may differ from k + the first place.
  bool is_random() const noexcept { return is_random_; }

  // The place in the plan of the k-th one wanted; k < size().
  std::uint64_t at(std::uint64_t k) const noexcept { return is_random_ ? permutation_.at(first_ + k) : first_ + k; }

 private:
  Permutation permutation_;
  bool is_random_;
  std::uint64_t first_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace v1
}  // namespace hakuriver
