#include "keeper/protocol.hpp"

#include <algorithm>

#include "keeper/bytes.hpp"
#include "keeper/place_bytes.hpp"

namespace hakuriver::keeper {
namespace {

constexpr std::uint32_t kHelloMagic = 0x314b4b48;  // "HKK1"

void write_key(ByteWriter& writer, AttemptKey key) { writer.number(key.task.value).number(key.attempt.value); }

AttemptKey read_key(ByteReader& reader) {
  const auto task = reader.number<std::uint64_t>();
  return AttemptKey{TaskId{task}, Attempt{reader.number<std::uint32_t>()}};
}

constexpr std::uint8_t kNoNewPrivileges = 1;
constexpr std::uint8_t kReportsStart = 2;
constexpr std::uint8_t kHasUser = 4;

// What version 3 added, behind all else.
void write_special(ByteWriter& writer, const StartRequest& request) {
  const unsigned flags = (request.no_new_privileges ? kNoNewPrivileges : 0u) |
                         (request.reports_start ? kReportsStart : 0u) | (request.user ? kHasUser : 0u);
  writer.number(static_cast<std::uint8_t>(flags)).number(request.niceness);
  writer.number(static_cast<std::int64_t>(request.time_limit.count()));
  writer.number(static_cast<std::int64_t>(request.time_limit_grace.count()));
  writer.text(request.unit).texts(request.control).text(request.refusal);
  if (!request.user) return;
  writer.number(request.user->uid).number(request.user->gid);
  writer.number(static_cast<std::uint32_t>(request.user->groups.size()));
  for (const auto group : request.user->groups) writer.number(group);
}

void read_special(ByteReader& reader, StartRequest& request) {
  const auto flags = reader.number<std::uint8_t>();
  request.no_new_privileges = (flags & kNoNewPrivileges) != 0;
  request.reports_start = (flags & kReportsStart) != 0;
  request.niceness = reader.number<std::int32_t>();
  request.time_limit = std::chrono::milliseconds{reader.number<std::int64_t>()};
  request.time_limit_grace = std::chrono::milliseconds{reader.number<std::int64_t>()};
  request.unit = reader.text();
  request.control = reader.texts();
  request.refusal = reader.text();
  if ((flags & kHasUser) == 0) return;
  auto& user = request.user.emplace();
  user.uid = reader.number<std::uint32_t>();
  user.gid = reader.number<std::uint32_t>();
  const auto groups = reader.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < groups && reader.ok(); ++i) user.groups.push_back(reader.number<std::uint32_t>());
}

// A kind that versions before the third do not know is written as what is nearest to it, and behind all else as what
// it is: they do not read so far.
Outcome known_to_all(const Outcome& outcome) {
  if (outcome.kind != OutcomeKind::timed_out) return outcome;
  return {OutcomeKind::exited, shell_status(outcome)};
}

bool is_known_code(std::int32_t code) {
  return code >= static_cast<std::int32_t>(Errc::invalid_argument) && code <= static_cast<std::int32_t>(Errc::internal);
}

}  // namespace

void append_frame(std::string& out, FrameType type, std::string_view body) {
  ByteWriter writer(out);
  writer.number(static_cast<std::uint32_t>(body.size() + 1)).number(static_cast<std::uint8_t>(type));
  out.append(body);
}

Result<std::optional<Frame>> take_frame(std::string_view& bytes) {
  if (bytes.size() < sizeof(std::uint32_t)) return std::optional<Frame>{};
  const auto length = ByteReader(bytes).number<std::uint32_t>();
  if (length == 0 || length > kMaxFrame) {
    return Error{Errc::parse,
                 "a frame of " + std::to_string(length) + " bytes: expected 1 to " + std::to_string(kMaxFrame)};
  }
  if (bytes.size() - sizeof(std::uint32_t) < length) return std::optional<Frame>{};
  const auto content = bytes.substr(sizeof(std::uint32_t), length);
  bytes.remove_prefix(sizeof(std::uint32_t) + length);
  return std::optional<Frame>{Frame{static_cast<FrameType>(content.front()), content.substr(1)}};
}

std::string encode_hello(const Hello& hello) {
  std::string body;
  ByteWriter(body)
      .number(kHelloMagic)
      .number(hello.lowest_version)
      .number(hello.highest_version)
      .text(hello.cluster_id)
      .number(hello.epoch.value);
  return body;
}

std::optional<Hello> decode_hello(std::string_view body) {
  ByteReader reader(body);
  const auto magic = reader.number<std::uint32_t>();
  Hello hello;
  hello.lowest_version = reader.number<std::uint32_t>();
  hello.highest_version = reader.number<std::uint32_t>();
  hello.cluster_id = reader.text();
  hello.epoch.value = reader.number<std::uint64_t>();
  if (!reader.ok() || magic != kHelloMagic || hello.cluster_id.size() > kMaxClusterId) return std::nullopt;
  return hello;  // what a later version appends is not read
}

bool is_special(const StartRequest& request) {
  return request.user || request.no_new_privileges || request.niceness != 0 || request.time_limit.count() != 0 ||
         request.reports_start || !request.unit.empty() || !request.control.empty() || !request.refusal.empty();
}

std::string encode_start(const StartRequest& request) {
  std::string body;
  ByteWriter writer(body);
  write_key(writer, request.key);
  writer.texts(request.argv).texts(request.environment).text(request.working_directory);
  writer.text(request.stdout_path).text(request.stderr_path);
  writer.number(static_cast<std::uint32_t>(request.cpus.size()));
  for (const auto cpu : request.cpus) writer.number(cpu);
  writer.number(static_cast<std::uint8_t>(request.numa_node.has_value() ? 1 : 0));
  writer.number(request.numa_node.value_or(0)).number(request.memory_bytes).number(request.millicores);
  const bool special = is_special(request);
  if (special || !request.cgroup.empty()) write_cgroup(writer, request.cgroup);
  if (special) write_special(writer, request);
  return body;
}

std::optional<StartRequest> decode_start(std::string_view body) {
  ByteReader reader(body);
  StartRequest request;
  request.key = read_key(reader);
  request.argv = reader.texts();
  request.environment = reader.texts();
  request.working_directory = reader.text();
  request.stdout_path = reader.text();
  request.stderr_path = reader.text();
  const auto cpus = reader.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < cpus && reader.ok(); ++i) request.cpus.push_back(reader.number<std::uint32_t>());
  const auto bound = reader.number<std::uint8_t>() != 0;
  const auto node = reader.number<std::uint32_t>();
  if (bound) request.numa_node = node;
  request.memory_bytes = reader.number<std::uint64_t>();
  request.millicores = reader.number<std::uint64_t>();
  request.cgroup = read_cgroup(reader);
  if (!reader.done()) read_special(reader, request);
  if (!reader.done()) return std::nullopt;
  return request;
}

std::string encode_signal(const SignalOrder& order) {
  std::string body;
  ByteWriter writer(body);
  write_key(writer, order.key);
  writer.number(static_cast<std::uint8_t>(order.signal)).number(static_cast<std::int64_t>(order.grace.count()));
  return body;
}

std::optional<SignalOrder> decode_signal(std::string_view body) {
  ByteReader reader(body);
  SignalOrder order;
  order.key = read_key(reader);
  const auto signal = reader.number<std::uint8_t>();
  // A day is longer than any grace means, and keeps the arithmetic of deadlines far from its bounds.
  order.grace = std::clamp(std::chrono::milliseconds{reader.number<std::int64_t>()}, std::chrono::milliseconds{0},
                           std::chrono::milliseconds{std::chrono::hours{24}});
  if (!reader.done() || signal > static_cast<std::uint8_t>(TaskSignal::resume)) return std::nullopt;
  order.signal = static_cast<TaskSignal>(signal);
  return order;
}

std::string encode_confirm(std::uint64_t record) {
  std::string body;
  ByteWriter(body).number(record);
  return body;
}

std::optional<std::uint64_t> decode_confirm(std::string_view body) {
  ByteReader reader(body);
  const auto record = reader.number<std::uint64_t>();
  if (!reader.done()) return std::nullopt;
  return record;
}

std::string encode_refused(const Error& error) {
  std::string body;
  ByteWriter(body).number(static_cast<std::int32_t>(error.code)).text(error.message);
  return body;
}

std::optional<Error> decode_refused(std::string_view body) {
  ByteReader reader(body);
  const auto code = reader.number<std::int32_t>();
  Error error{Errc::internal, reader.text()};
  if (!reader.ok()) return std::nullopt;
  if (is_known_code(code)) error.code = static_cast<Errc>(code);
  return error;
}

std::string encode_listing(const KeeperListing& listing, std::uint32_t version) {
  std::string body;
  ByteWriter(body)
      .text(listing.session.journal_id)
      .text(listing.session.boot_id)
      .number(listing.run.value)
      .text(listing.cluster_id)
      .number(listing.epoch.value)
      .number(listing.confirmed)
      .number(version);
  return body;
}

std::optional<KeeperListing> decode_listing(std::string_view body, std::uint32_t& version) {
  ByteReader reader(body);
  KeeperListing listing;
  listing.session.journal_id = reader.text();
  listing.session.boot_id = reader.text();
  listing.run.value = reader.number<std::uint64_t>();
  listing.cluster_id = reader.text();
  listing.epoch.value = reader.number<std::uint64_t>();
  listing.confirmed = reader.number<std::uint64_t>();
  version = reader.done() ? 1 : reader.number<std::uint32_t>();
  if (!reader.ok()) return std::nullopt;
  return listing;
}

std::string encode_attempt(const KeptAttempt& attempt) {
  std::string body;
  ByteWriter writer(body);
  write_key(writer, attempt.key);
  writer.number(static_cast<std::uint8_t>(attempt.state)).number(attempt.pid).number(attempt.started_at.microseconds);
  const auto outcome = known_to_all(attempt.outcome);
  writer.number(attempt.record).number(static_cast<std::uint8_t>(outcome.kind)).number(outcome.value);
  writer.number(static_cast<std::uint8_t>(attempt.by_request ? 1 : 0));
  writer.number(static_cast<std::int64_t>(attempt.ended_after.count()));
  writer.number(attempt.usage.cpu_microseconds).number(attempt.usage.max_rss_bytes);
  writer.number(attempt.stdout_bytes).number(attempt.stderr_bytes).text(attempt.message);
  write_place(writer, attempt);
  if (outcome != attempt.outcome) {
    writer.number(static_cast<std::uint8_t>(attempt.outcome.kind)).number(attempt.outcome.value);
  }
  return body;
}

std::optional<KeptAttempt> decode_attempt(std::string_view body) {
  ByteReader reader(body);
  KeptAttempt attempt;
  attempt.key = read_key(reader);
  const auto state = reader.number<std::uint8_t>();
  attempt.pid = reader.number<std::int64_t>();
  attempt.started_at.microseconds = reader.number<std::int64_t>();
  attempt.record = reader.number<std::uint64_t>();
  auto kind = reader.number<std::uint8_t>();
  attempt.outcome.value = reader.number<std::int32_t>();
  attempt.by_request = reader.number<std::uint8_t>() != 0;
  attempt.ended_after = std::chrono::microseconds{reader.number<std::int64_t>()};
  attempt.usage.cpu_microseconds = reader.number<std::uint64_t>();
  attempt.usage.max_rss_bytes = reader.number<std::uint64_t>();
  attempt.stdout_bytes = reader.number<std::uint64_t>();
  attempt.stderr_bytes = reader.number<std::uint64_t>();
  attempt.message = reader.text();
  read_place(reader, attempt);
  if (reader.ok() && !reader.done()) {
    kind = reader.number<std::uint8_t>();
    attempt.outcome.value = reader.number<std::int32_t>();
  }
  if (!reader.ok() || state > static_cast<std::uint8_t>(KeptState::ended)) return std::nullopt;
  if (kind > static_cast<std::uint8_t>(kLastOutcomeKind)) return std::nullopt;
  attempt.state = static_cast<KeptState>(state);
  attempt.outcome.kind = static_cast<OutcomeKind>(kind);
  return attempt;
}

}  // namespace hakuriver::keeper
