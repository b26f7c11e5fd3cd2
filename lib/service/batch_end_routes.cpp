#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "service/end_outputs.hpp"
#include "service/people_routes.hpp"
#include "wire/batch_ends.hpp"

namespace hakuriver::service {

namespace {

// What has ended of the tasks that are asked for, at most so many records, in the order of the tasks.
Result<wire::BatchEnds> read_ends(TaskReader& reader, BatchId batch, const wire::BatchEndsQuery& query) {
  static constexpr PlaceRange kAll{0, kMaxBatchTasks};
  wire::BatchEnds answer;
  std::vector<EndRecord>& ends = answer.ends;
  const auto take = [&](const PlaceRange& range) -> Status {
    const TaskId first = task_of(batch, range.first);
    const TaskId last = task_of(batch, range.first + range.count - 1);
    auto found = reader.ends(batch, first, last, query.limit - static_cast<std::uint32_t>(ends.size()));
    if (!found) return found.error();
    for (auto& end : *found) {
      // Those that ended alike are one record, which may reach beyond what is asked for.
      const std::uint64_t from = std::max(end.first.value, first.value);
      const std::uint64_t to = std::min(end.first.value + end.count - 1, last.value);
      end.first = TaskId{from};
      end.count = to - from + 1;
      ends.push_back(std::move(end));
    }
    return Unit{};
  };
  if (query.open.empty()) {
    if (auto taken = take(kAll); !taken) return taken.error();
  }
  for (const auto& range : query.open) {
    if (ends.size() >= query.limit) break;
    if (auto taken = take(range); !taken) return taken.error();
  }
  return answer;
}

void show_ends(const PeopleServices& services, RouteCall call) {
  const auto id = parse_id(call.captures[0]);
  if (!id) return call.responder->reply(error_reply(id.error(), "path", "batch_id"));
  auto query = wire::decode_batch_ends_query(call.request.body);
  if (!query) return call.responder->reply(error_reply(query.error()));
  std::uint64_t unknown = 0;
  for (const auto& range : query->open) unknown += range.count;
  const std::chrono::seconds at_most(query->wait_seconds);
  auto answer = [&queries = services.queries, batch = BatchId{*id}, responder = std::move(call.responder),
                 query = std::move(*query), shared_dir = services.options.shared_dir](bool) {
    queries.read([batch, responder, query, shared_dir](TaskReader& reader) {
      auto ends = read_ends(reader, batch, query);
      if (ends) add_outputs(*ends, shared_dir, query.output_bytes);
      responder->reply(ends ? HttpReply{.body = wire::encode(batch, *ends)} : error_reply(ends.error()));
    });
  };
  if (at_most.count() == 0 || unknown == 0) return answer(true);
  services.host.watch_batch(BatchId{*id}, unknown, at_most, std::move(answer));
}

}  // namespace

std::vector<Route> batch_end_routes(const PeopleServices& services) {
  const RouteFunction show = [services](RouteCall call) { show_ends(services, std::move(call)); };
  return {{"POST", "/api/v1/batches/*/ends", show}};
}

}  // namespace hakuriver::service
