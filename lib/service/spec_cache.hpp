// Specs of batches that were lately submitted or ordered, up to a bound on their bytes.
#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "hakuriver/ids.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver::service {

inline std::size_t size_of(const TaskSweep& sweep) {
  std::size_t bytes = sweep.places().size() * (sizeof(PlaceRange) + sizeof(std::uint64_t));
  for (const auto& word : sweep.commands().words()) {
    for (const auto& piece : word) bytes += piece.text.size() + sizeof(WordPiece);
  }
  for (const auto& axis : sweep.commands().sweep().axes()) {
    const auto* list = std::get_if<ValueList>(&axis.values());
    bytes += sizeof(Axis);
    for (std::size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
      bytes += list->items[i].size() + sizeof(std::string);
    }
  }
  return bytes;
}

// What a spec takes in memory, roughly.
inline std::size_t size_of(const TaskSpec& spec) {
  std::size_t bytes = sizeof(TaskSpec) + 128;
  for (const auto& word : spec.argv) bytes += word.size() + sizeof(std::string);
  if (spec.sweep) bytes += size_of(*spec.sweep);
  for (const auto& [name, value] : spec.environment) bytes += name.size() + value.size() + 2 * sizeof(std::string);
  return bytes;
}

class SpecCache {
 public:
  // Null where it is not kept.
  std::shared_ptr<const TaskSpec> find(BatchId batch) const {
    const auto found = specs_.find(batch);
    return found == specs_.end() ? nullptr : found->second;
  }

  void keep(BatchId batch, std::shared_ptr<const TaskSpec> spec) {
    constexpr std::size_t kMostBytes = std::size_t{32} << 20;
    const auto [entry, is_new] = specs_.emplace(batch, spec);
    if (!is_new) return;
    bytes_ += size_of(*spec);
    while (bytes_ > kMostBytes && specs_.size() > 1) {
      const auto oldest = specs_.begin()->first == batch ? std::next(specs_.begin()) : specs_.begin();
      bytes_ -= size_of(*oldest->second);
      specs_.erase(oldest);
    }
  }

 private:
  std::map<BatchId, std::shared_ptr<const TaskSpec>> specs_;
  std::size_t bytes_ = 0;
};

}  // namespace hakuriver::service
