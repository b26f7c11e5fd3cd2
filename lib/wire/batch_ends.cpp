#include "wire/batch_ends.hpp"

#include "wire/json_text.hpp"
#include "wire/members.hpp"

namespace hakuriver::wire {
namespace {

template <class... Numbers>
void append_numbers(std::string& out, const Numbers&... numbers) {
  (..., (append_number(out, numbers), out += ','));
}

void append_end(std::string& out, BatchId batch, const EndRecord& end) {
  out += '[';
  append_numbers(out, end.first.value - task_of(batch, 0).value, end.count, end.attempt.value,
                 static_cast<unsigned>(end.status), static_cast<unsigned>(end.outcome.kind), end.outcome.value,
                 end.started_at.microseconds, end.ended_at.microseconds, end.usage.cpu_microseconds,
                 end.usage.max_rss_bytes, end.stdout_bytes, end.stderr_bytes);
  append_text(out, end.message);
  out += ']';
}

void append_output(std::string& out, BatchId batch, const EndOutput& output) {
  out += '[';
  append_number(out, output.task.value - task_of(batch, 0).value);
  out += output.is_stderr ? ",\"stderr\"," : ",\"stdout\",";
  append_text(out, output.bytes);
  out += ']';
}

template <class Read>
auto next(Scanner& in, const Read& read) -> decltype(read()) {
  if (!in.next_item()) in.fail("more parts");
  return read();
}

TaskId next_task(Scanner& in, BatchId batch) {
  const std::uint64_t index = next(in, [&in] { return in.u64(); });
  if (index >= kMaxBatchTasks) in.fail("a task's index");
  return in.failed() ? TaskId{} : task_of(batch, index);
}

EndRecord read_end(Scanner& in, BatchId batch) {
  const auto u64 = [&in] { return in.u64(); };
  const auto i64 = [&in] { return in.i64(); };
  const auto u8 = [&in] { return in.u8(); };
  EndRecord end;
  end.batch = batch;
  in.enter_array();
  end.first = next_task(in, batch);
  end.count = next(in, u64);
  end.attempt.value = next(in, [&in] { return in.u32(); });
  const std::uint8_t status = next(in, u8);
  const std::uint8_t kind = next(in, u8);
  if (status >= kTaskStatusCount || kind > static_cast<std::uint8_t>(kLastOutcomeKind)) in.fail("a known end");
  end.status = static_cast<TaskStatus>(status);
  end.outcome.kind = static_cast<OutcomeKind>(kind);
  end.outcome.value = static_cast<std::int32_t>(next(in, i64));
  end.started_at.microseconds = next(in, i64);
  end.ended_at.microseconds = next(in, i64);
  end.usage.cpu_microseconds = next(in, u64);
  end.usage.max_rss_bytes = next(in, u64);
  end.stdout_bytes = next(in, u64);
  end.stderr_bytes = next(in, u64);
  end.message = next(in, [&in] { return in.text(); });
  if (in.next_item()) in.fail("an end of thirteen parts");
  return end;
}

EndOutput read_output(Scanner& in, BatchId batch) {
  const auto text = [&in] { return in.text(); };
  EndOutput output;
  in.enter_array();
  output.task = next_task(in, batch);
  const std::string stream = next(in, text);
  output.is_stderr = stream == "stderr";
  if (!output.is_stderr && stream != "stdout") in.fail("'stdout' or 'stderr'");
  output.bytes = next(in, text);
  if (in.next_item()) in.fail("an output of three parts");
  return output;
}

void read_open(Scanner& in, BatchEndsQuery& query) {
  std::uint64_t after = 0;
  for (in.enter_array(); in.next_item();) {
    std::vector<std::int64_t> pair;
    in.integers(pair, 2);
    const bool fits = pair.size() == 2 && pair[0] >= 0 && pair[1] > 0 && static_cast<std::uint64_t>(pair[0]) >= after &&
                      pair[0] < std::int64_t{kMaxBatchTasks} && pair[1] <= std::int64_t{kMaxBatchTasks};
    if (!fits || query.open.size() == kMostOpenRanges) {
      return in.fail("pairs [FIRST, COUNT] of tasks, ascending and at most " + std::to_string(kMostOpenRanges));
    }
    query.open.push_back({static_cast<std::uint64_t>(pair[0]), static_cast<std::uint64_t>(pair[1])});
    after = query.open.back().first + query.open.back().count;
  }
}

std::uint64_t read_up_to(Scanner& in, std::uint64_t least, std::uint64_t most) {
  const std::uint64_t value = in.u64();
  if (value < least || value > most) {
    in.fail("a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

constexpr Member<BatchEndsQuery> kQuery[] = {
    {"open", read_open, false},
    {"limit",
     [](Scanner& in, BatchEndsQuery& query) { query.limit = static_cast<std::uint32_t>(read_up_to(in, 1, kMostEnds)); },
     false},
    {"wait", [](Scanner& in, BatchEndsQuery& query) { query.wait_seconds = read_up_to(in, 0, kMostFollowSeconds); },
     false},
    {"outputs", [](Scanner& in, BatchEndsQuery& query) { query.output_bytes = read_up_to(in, 0, kMostBytesOfOutput); },
     false},
};

}  // namespace

std::string encode(const BatchEndsQuery& query) {
  std::string out;
  ObjectWriter object(out);
  if (!query.open.empty()) {
    append_array(object.member("open"), query.open, [](std::string& to, const PlaceRange& range) {
      to += '[';
      append_number(to, range.first);
      to += ',';
      append_number(to, range.count);
      to += ']';
    });
  }
  object.number("limit", query.limit);
  object.number("wait", query.wait_seconds);
  if (query.output_bytes > 0) object.number("outputs", query.output_bytes);
  object.close();
  return out;
}

Result<BatchEndsQuery> decode_batch_ends_query(std::string_view body) {
  Scanner in(body, "question about ends");
  BatchEndsQuery query;
  read_members<BatchEndsQuery>(in, query, kQuery);
  if (const auto status = in.status(); !status) return status.error();
  return query;
}

std::string encode(BatchId batch, const BatchEnds& ends) {
  std::string out;
  ObjectWriter object(out);
  object.id("batch_id", batch.value);
  append_array(object.member("ends"), ends.ends,
               [batch](std::string& to, const EndRecord& end) { append_end(to, batch, end); });
  if (!ends.outputs.empty()) {
    append_array(object.member("outputs"), ends.outputs,
                 [batch](std::string& to, const EndOutput& output) { append_output(to, batch, output); });
  }
  object.close();
  return out;
}

Result<BatchEnds> decode_batch_ends(std::string_view body, BatchId batch) {
  Scanner in(body, "ends of a batch");
  BatchEnds ends;
  bool has_ends = false;
  std::string_view name;
  for (in.enter_object(); in.next_name(name);) {
    if (name == "ends") {
      has_ends = true;
      for (in.enter_array(); in.next_item();) ends.ends.push_back(read_end(in, batch));
    } else if (name == "outputs") {
      for (in.enter_array(); in.next_item();) ends.outputs.push_back(read_output(in, batch));
    } else {
      in.skip();
    }
  }
  if (!has_ends) in.fail("'ends'");
  if (const auto status = in.status(); !status) return status.error();
  return ends;
}

}  // namespace hakuriver::wire
