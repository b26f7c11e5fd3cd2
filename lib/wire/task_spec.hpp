// A TaskSpec as JSON: the form in which it travels to a node and lies in the database.
#pragma once

#include <string>
#include <string_view>

#include "hakuriver/result.hpp"
#include "hakuriver/task.hpp"
#include "wire/scanner.hpp"

namespace hakuriver::wire {

// Members that have their default value are left out.
void append_task_spec(std::string& out, const TaskSpec& spec);
std::string encode_task_spec(const TaskSpec& spec);

void read_task_spec(Scanner& in, TaskSpec& spec);
// Errc::parse. Its bounds are the scanner's, its limits were checked at submission.
Result<TaskSpec> decode_task_spec(std::string_view text);

}  // namespace hakuriver::wire
