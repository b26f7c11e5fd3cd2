// Tasks, batches, nodes and health as people get them: hakuriver/views.hpp as JSON, in both directions.
//
// "Seed" functions write what the routes of the seed era answer: the same fields and more, bytes that are not UTF-8
// replaced. The others write what the routes under /api/v1 answer, with such bytes as {"base64": "..."}. Ids are
// text; times are as to_iso8601 has them, or null. Decoders read our own form, take ids as text or numbers, ignore
// fields that they do not know, and fail with Errc::parse and one line that names the field.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/host/events.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/views.hpp"

namespace hakuriver::wire {

std::string encode(const TaskView& task);
std::string encode(const TaskPage& page);  // {"tasks": [...], "next": "ID" or null}
std::string encode(const BatchView& batch);
std::string encode(const std::vector<NodeView>& nodes);  // {"nodes": [...]}
std::string encode(const HealthSample& sample);          // {"nodes": [...], "aggregate": {...}}
std::string encode(const CommandAnswer& answer);         // {"done": n, "asked": n}

std::string encode_seed(const TaskView& task);
std::string encode_seed(std::span<const TaskView> tasks);        // an array
std::string encode_seed(const std::vector<NodeView>& nodes);     // an array
std::string encode_seed(std::span<const HealthSample> samples);  // oldest first: arrays of nodes, and of aggregates

// {"detail": "..."}: every error but 422.
std::string encode_error(std::string_view detail);
// What an error reply says, as one line: its `detail`, the first of its 422 list, or what else it holds, cut short.
std::string decode_error(std::string_view body);

Result<TaskView> decode_task(std::string_view body);
Result<TaskPage> decode_task_page(std::string_view body);
Result<BatchView> decode_batch_view(std::string_view body);
Result<std::vector<NodeView>> decode_nodes(std::string_view body);
Result<HealthSample> decode_health(std::string_view body);
Result<CommandAnswer> decode_command_answer(std::string_view body);

// The same JSON with line breaks and two blanks per level, for people. Text that is no JSON comes back as it is.
std::string pretty(std::string_view json);

}  // namespace hakuriver::wire
