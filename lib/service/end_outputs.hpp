// Short outputs on their way with the ends of their tasks, so that who follows a batch need not ask for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "wire/batch_ends.hpp"

namespace hakuriver::service {

// Of one answer. The reading thread works for others, too, and a file may lie across a network.
struct EndOutputBounds {
  std::size_t bytes = std::size_t{1} << 20;  // passed by one task's outputs at most
  std::size_t files = 512;
};

// Adds what the ended tasks wrote, as far as the host's own view of `shared_dir` shows all of a stream and that is at
// most `most_bytes` long. What is absent, shorter than its task has reported, or longer is left out. Where the bounds
// are reached, the ends that come after are dropped: they are there for the next question. The first end stays.
void add_outputs(wire::BatchEnds& ends, const std::string& shared_dir, std::uint64_t most_bytes,
                 const EndOutputBounds& bounds = {});

}  // namespace hakuriver::service
