// Many small entries in the order of their keys, a few dozen side by side: no allocation of its own for each, and few
// far reads to find one. Cheapest where new keys are the highest, as ids are.
//
//   SortedChunks<TaskRange, &TaskRange::first> ranges;
//   ranges.insert({TaskId{7}, 3});
//   ranges.find(TaskId{7})->count    3
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

namespace hakuriver {
inline namespace v1 {

// `key` is a member of Entry; no two are equal, and while the entry is here its key may only rise, and not to where the
// next one is. Whatever inserts or erases ends the validity of iterators and references.
template <class Entry, auto key>
class SortedChunks {
  using Chunk = std::vector<Entry>;

  template <class Table, class Value>
  class Position {
   public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using pointer = Value*;
    using reference = Value&;

    Position() = default;
    Value& operator*() const { return table_->chunks_[chunk_][at_]; }
    Value* operator->() const { return &**this; }
    Position& operator++() {
      if (++at_ == table_->chunks_[chunk_].size()) {
        ++chunk_;
        at_ = 0;
      }
      return *this;
    }
    Position& operator--() {
      if (at_ == 0) at_ = table_->chunks_[--chunk_].size();
      --at_;
      return *this;
    }
    Position operator++(int) { return std::exchange(*this, std::next(*this)); }
    Position operator--(int) { return std::exchange(*this, std::prev(*this)); }
    bool operator==(const Position& other) const { return chunk_ == other.chunk_ && at_ == other.at_; }

   private:
    friend SortedChunks;
    Position(Table* table, std::size_t chunk, std::size_t at) : table_(table), chunk_(chunk), at_(at) {}

    Table* table_ = nullptr;
    std::size_t chunk_ = 0;  // behind the last entry: the number of chunks, and 0
    std::size_t at_ = 0;
  };

 public:
  using Key = std::remove_cvref_t<decltype(std::declval<Entry>().*key)>;
  using value_type = Entry;
  using iterator = Position<SortedChunks, Entry>;
  using const_iterator = Position<const SortedChunks, const Entry>;

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  iterator begin() { return {this, 0, 0}; }
  iterator end() { return {this, chunks_.size(), 0}; }
  const_iterator begin() const { return {this, 0, 0}; }
  const_iterator end() const { return {this, chunks_.size(), 0}; }

  // The first entry whose key is not below `wanted`; whose key is above it; whose key it is.
  iterator lower_bound(const Key& wanted) { return search<iterator>(*this, wanted, is_below); }
  const_iterator lower_bound(const Key& wanted) const { return search<const_iterator>(*this, wanted, is_below); }
  iterator upper_bound(const Key& wanted) { return search<iterator>(*this, wanted, is_not_above); }
  const_iterator upper_bound(const Key& wanted) const { return search<const_iterator>(*this, wanted, is_not_above); }
  iterator find(const Key& wanted) { return exact(*this, lower_bound(wanted), wanted); }
  const_iterator find(const Key& wanted) const { return exact(*this, lower_bound(wanted), wanted); }

  // The entry must be there.
  Entry& at(const Key& wanted) { return *lower_bound(wanted); }
  const Entry& at(const Key& wanted) const { return *lower_bound(wanted); }

  // Its key must not be there yet.
  Entry& insert(Entry entry) {
    ++size_;
    const std::size_t chunk = chunk_to_grow(entry.*key);
    Chunk& entries = chunks_[chunk];
    auto place = entries.end();
    if (!entries.empty() && entry.*key < entries.back().*key) {
      place = std::lower_bound(entries.begin(), entries.end(), entry.*key, is_below);
    }
    lowest_[chunk] = std::min(lowest_[chunk], entry.*key);
    return *entries.insert(place, std::move(entry));
  }

  // The answer is the entry that follows.
  iterator erase(iterator where) {
    --size_;
    Chunk& entries = chunks_[where.chunk_];
    entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(where.at_));
    if (entries.empty()) {
      chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(where.chunk_));
      lowest_.erase(lowest_.begin() + static_cast<std::ptrdiff_t>(where.chunk_));
      where.at_ = 0;
    } else if (where.at_ == entries.size()) {
      ++where.chunk_;
      where.at_ = 0;
    }
    return where;
  }

  void clear() { *this = {}; }

 private:
  static constexpr std::size_t kMostEntries = 64;

  static bool is_below(const Entry& entry, const Key& wanted) { return entry.*key < wanted; }
  static bool is_not_above(const Entry& entry, const Key& wanted) { return !(wanted < entry.*key); }

  // The last chunk that begins at or below the key; the first one where none does. There must be one.
  std::size_t chunk_of(const Key& wanted) const {
    if (!(wanted < lowest_.back())) return lowest_.size() - 1;
    const auto above = std::upper_bound(lowest_.begin(), lowest_.end(), wanted);
    return above == lowest_.begin() ? 0 : static_cast<std::size_t>(above - lowest_.begin()) - 1;
  }

  // The first entry that does not come before the key.
  template <class Iterator, class Table, class ComesBefore>
  static Iterator search(Table& table, const Key& wanted, ComesBefore comes_before) {
    if (table.chunks_.empty()) return table.end();
    const std::size_t chunk = table.chunk_of(wanted);
    const auto& entries = table.chunks_[chunk];
    const auto found = std::partition_point(entries.begin(), entries.end(),
                                            [&](const Entry& each) { return comes_before(each, wanted); });
    if (found == entries.end()) return {&table, chunk + 1, 0};
    return {&table, chunk, static_cast<std::size_t>(found - entries.begin())};
  }

  template <class Table, class Iterator>
  static Iterator exact(Table& table, Iterator found, const Key& wanted) {
    return found != table.end() && (*found).*key == wanted ? found : table.end();
  }

  // Where the key belongs, with room for one more.
  std::size_t chunk_to_grow(const Key& wanted) {
    if (chunks_.empty()) return add_chunk(0, {}, wanted);
    const std::size_t chunk = chunk_of(wanted);
    Chunk& entries = chunks_[chunk];
    if (entries.size() < kMostEntries) return chunk;
    if (chunk + 1 == chunks_.size() && entries.back().*key < wanted) return add_chunk(chunk + 1, {}, wanted);
    const auto middle = entries.begin() + kMostEntries / 2;
    Chunk later(std::make_move_iterator(middle), std::make_move_iterator(entries.end()));
    entries.erase(middle, entries.end());
    const Key lowest = later.front().*key;
    add_chunk(chunk + 1, std::move(later), lowest);
    return wanted < lowest ? chunk : chunk + 1;
  }

  std::size_t add_chunk(std::size_t where, Chunk entries, const Key& lowest) {
    chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(where), std::move(entries));
    lowest_.insert(lowest_.begin() + static_cast<std::ptrdiff_t>(where), lowest);
    return where;
  }

  std::vector<Chunk> chunks_;  // none is empty
  std::vector<Key> lowest_;    // by chunk: at or below its first key, above all keys of those before
  std::size_t size_ = 0;
};

}  // namespace v1
}  // namespace hakuriver
