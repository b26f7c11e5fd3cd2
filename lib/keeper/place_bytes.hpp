// What an attempt holds of its node, and where its cgroup is, as bytes: in the journal and in what an agent is told, so
// that whoever takes the attempt up knows what is taken.
#pragma once

#include <cstdint>

#include "hakuriver/keeper.hpp"
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

inline void write_cgroup(ByteWriter& writer, const CgroupParent& parent) {
  writer.text(parent.unified).text(parent.freezer).text(parent.cpu).text(parent.cpuacct).text(parent.memory);
  writer.number(static_cast<std::uint8_t>((parent.limits_cores ? 1u : 0u) | (parent.limits_memory ? 2u : 0u)));
}

// Behind all else; whoever knows no cgroups writes none.
inline CgroupParent read_cgroup(ByteReader& reader) {
  CgroupParent parent;
  if (reader.done()) return parent;
  for (auto* path : {&parent.unified, &parent.freezer, &parent.cpu, &parent.cpuacct, &parent.memory}) {
    *path = reader.text();
  }
  const auto limits = reader.number<std::uint8_t>();
  parent.limits_cores = (limits & 1u) != 0;
  parent.limits_memory = (limits & 2u) != 0;
  return parent;
}

}  // namespace hakuriver::keeper
