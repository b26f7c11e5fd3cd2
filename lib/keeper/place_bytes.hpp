// What an attempt holds of its node, as bytes: in the journal and in what an agent is told, so that whoever takes the
// attempt up knows what is taken.
#pragma once

#include <cstdint>

#include "keeper/bytes.hpp"

namespace hakuriver::keeper {

// `Holder` has the members millicores, memory_bytes and numa_node.
template <class Holder>
void write_place(ByteWriter& writer, const Holder& holder) {
  writer.number(holder.millicores).number(holder.memory_bytes);
  writer.number(static_cast<std::uint8_t>(holder.numa_node.has_value() ? 1 : 0)).number(holder.numa_node.value_or(0));
}

// These stand last in a record, and one that ends before them holds nothing of the node.
template <class Holder>
void read_place(ByteReader& reader, Holder& holder) {
  if (reader.done()) return;
  holder.millicores = reader.number<std::uint64_t>();
  holder.memory_bytes = reader.number<std::uint64_t>();
  const bool bound = reader.number<std::uint8_t>() != 0;
  const auto node = reader.number<std::uint32_t>();
  if (bound) holder.numa_node = node;
}

}  // namespace hakuriver::keeper
