// Writing a TaskSweep as JSON; task_sweep.hpp reads it. Apart from that, for programs that only write.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "hakuriver/task_sweep.hpp"

namespace hakuriver::wire {

// By SweepOrder.
inline constexpr std::array<std::string_view, 3> kSweepOrders{"first_slowest", "first_fastest", "together"};

// Members that have their default value are left out.
void append_task_sweep(std::string& out, const TaskSweep& sweep);

}  // namespace hakuriver::wire
