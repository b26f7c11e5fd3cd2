// What a journal says of each command: whether its last attempt succeeded. Sixteen bytes for each record.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace hakuriver {
inline namespace v1 {

// Commands are known by hashes of their name and of their text, 63 and 64 bits: a command that has changed in either is
// another one. Ten million records and as many questions meet a wrong answer once in 10^24 such runs.
class JournalIndex {
 public:
  enum class Known : std::uint8_t {
    nothing = 0,  // neither the name nor the command is known
    changed = 1,  // the name is known with other commands only
    failed = 2,
    succeeded = 3,
  };

  // In the order of the journal. A later record of the same command counts.
  void add(std::string_view name, std::string_view command, bool succeeded) {
    records_.push_back({hash(name, kNameSeed) << 1 | (succeeded ? 1u : 0u), hash(command, kCommandSeed)});
  }

  // After the last add(), before the first find().
  void finish() {
    const auto before = [](const Record& a, const Record& b) {
      return a.name() != b.name() ? a.name() < b.name() : a.command < b.command;
    };
    std::stable_sort(records_.begin(), records_.end(), before);
    // Of equal ones the last stays.
    const auto same = [](const Record& a, const Record& b) { return a.name() == b.name() && a.command == b.command; };
    const auto kept = std::unique(records_.rbegin(), records_.rend(), same);
    records_.erase(records_.begin(), kept.base());
  }

  Known find(std::string_view name, std::string_view command) const {
    const std::uint64_t name_hash = hash(name, kNameSeed) & kNameMask;
    const std::uint64_t command_hash = hash(command, kCommandSeed);
    auto record = std::lower_bound(records_.begin(), records_.end(), name_hash,
                                   [](const Record& a, std::uint64_t wanted) { return a.name() < wanted; });
    Known known = Known::nothing;
    for (; record != records_.end() && record->name() == name_hash; ++record) {
      if (record->command == command_hash) return record->succeeded() ? Known::succeeded : Known::failed;
      known = name.empty() ? Known::nothing : Known::changed;
    }
    return known;
  }

  // After finish(): how many commands, not records.
  std::size_t size() const noexcept { return records_.size(); }
  bool has_failures() const noexcept {
    return std::any_of(records_.begin(), records_.end(), [](const Record& record) { return !record.succeeded(); });
  }

 private:
  struct Record {
    std::uint64_t name_and_success;
    std::uint64_t command;
    std::uint64_t name() const noexcept { return name_and_success >> 1; }
    bool succeeded() const noexcept { return (name_and_success & 1) != 0; }
  };

  static constexpr std::uint64_t kNameMask = ~std::uint64_t{0} >> 1;
  static constexpr std::uint64_t kNameSeed = 0x243f6a8885a308d3;     // pi
  static constexpr std::uint64_t kCommandSeed = 0xb7e151628aed2a6a;  // e

  // FNV-1a from a start of our own, then mixed so that every bit depends on every byte.
  static constexpr std::uint64_t hash(std::string_view text, std::uint64_t seed) noexcept {
    std::uint64_t state = seed;
    for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    state = (state ^ (state >> 32)) * 0xd6e8feb86659fd93;
    return state ^ (state >> 32);
  }

  std::vector<Record> records_;
};

}  // namespace v1
}  // namespace hakuriver
