#include "keeper/journal_content.hpp"

#include <algorithm>
#include <map>

#include "keeper/bytes.hpp"
#include "keeper/crc32.hpp"
#include "keeper/place_bytes.hpp"
#include "keeper/protocol.hpp"

namespace hakuriver::keeper {
namespace {

constexpr std::string_view kMagic = "HKRVJRNL";
constexpr std::size_t kRecordHead = 9;  // CRC, length, type
constexpr std::size_t kIdDigits = 32;

// 32 hex digits as 16 bytes, and back.
void append_id(std::string& out, const std::string& digits) {
  for (std::size_t i = 0; i < kIdDigits; i += 2) {
    const auto pair = i + 2 <= digits.size() ? digits.substr(i, 2) : std::string("0");
    out.push_back(static_cast<char>(std::strtoul(pair.c_str(), nullptr, 16)));
  }
}

std::string read_id(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  for (const char c : bytes) {
    const auto value = static_cast<unsigned char>(c);
    digits += kDigits[value >> 4];
    digits += kDigits[value & 15u];
  }
  return digits;
}

struct Record {
  RecordType type;
  std::string_view payload;
  std::size_t size;  // with its head
};

std::optional<Record> record_at(std::string_view bytes, std::size_t offset) {
  const auto rest = bytes.substr(offset);
  if (rest.size() < kRecordHead) return std::nullopt;
  ByteReader reader(rest);
  const auto crc = reader.number<std::uint32_t>();
  const auto length = reader.number<std::uint32_t>();
  const auto type = reader.number<std::uint8_t>();
  if (type < static_cast<std::uint8_t>(RecordType::run) || type > static_cast<std::uint8_t>(RecordType::unit)) {
    return std::nullopt;
  }
  if (length > kMaxRecordPayload || length > rest.size() - kRecordHead) return std::nullopt;
  if (crc32(rest.substr(4, kRecordHead - 4 + length)) != crc) return std::nullopt;
  return Record{static_cast<RecordType>(type), rest.substr(kRecordHead, length), kRecordHead + length};
}

bool any_record_after(std::string_view bytes, std::size_t offset) {
  for (std::size_t at = offset + 1; at + kRecordHead <= bytes.size(); ++at) {
    if (record_at(bytes, at)) return true;
  }
  return false;
}

AttemptKey read_key(ByteReader& reader) {
  const auto task = reader.number<std::uint64_t>();
  return AttemptKey{TaskId{task}, Attempt{reader.number<std::uint32_t>()}};
}

void write_terms(ByteWriter& writer, const Terms& terms) {
  writer.number(static_cast<std::int64_t>(terms.time_limit.count()));
  writer.number(static_cast<std::int64_t>(terms.time_limit_grace.count()));
  writer.number(static_cast<std::uint8_t>(terms.reports_start ? 1 : 0)).text(terms.unit).texts(terms.control);
}

void read_terms(ByteReader& reader, Terms& terms) {
  terms.time_limit = std::chrono::milliseconds{reader.number<std::int64_t>()};
  terms.time_limit_grace = std::chrono::milliseconds{reader.number<std::int64_t>()};
  terms.reports_start = reader.number<std::uint8_t>() != 0;
  terms.unit = reader.text();
  terms.control = reader.texts();
}

void append_facts(std::string& out, AttemptKey key, const Terms& terms) {
  if (terms.timed_out) append_timed_out(out, key);
  if (terms.main_status) append_main_ended(out, key, *terms.main_status);
  if (terms.held) append_held(out, key, true);
  if (!terms.cgroup.empty()) append_unit(out, key, terms.cgroup);
}

ByteWriter& write_key(ByteWriter&& writer, AttemptKey key) {
  return writer.number(key.task.value).number(key.attempt.value);
}

// Builds the content record by record.
class Replay {
 public:
  explicit Replay(JournalContent& content) : content_(content) {}

  // False where the payload is not what its type says.
  bool apply(const Record& record) {
    ByteReader reader(record.payload);
    switch (record.type) {
      case RecordType::run:
        return apply_run(reader);
      case RecordType::intent:
        return apply_intent(reader);
      case RecordType::started:
        return apply_started(reader);
      case RecordType::asked:
        return apply_asked(reader);
      case RecordType::ended:
        return apply_ended(record.payload);
      case RecordType::confirmed:
        return apply_confirmed(reader);
      case RecordType::timed_out:
      case RecordType::main_ended:
      case RecordType::held:
      case RecordType::unit:
        return apply_fact(record.type, reader);
    }
    return false;
  }

  void finish() {
    for (auto& [order, attempt] : unended_) content_.unended.push_back(std::move(attempt));
    std::erase_if(content_.ended, [this](const KeptAttempt& a) { return a.record <= content_.confirmed; });
  }

 private:
  bool apply_run(ByteReader& reader) {
    content_.run.value = reader.number<std::uint64_t>();
    content_.cluster_id = reader.text();
    content_.epoch.value = reader.number<std::uint64_t>();
    return reader.done();
  }
  bool apply_intent(ByteReader& reader) {
    UnendedAttempt attempt;
    attempt.key = read_key(reader);
    attempt.started_at.microseconds = reader.number<std::int64_t>();
    attempt.started.microseconds = reader.number<std::int64_t>();
    attempt.stdout_path = reader.text();
    attempt.stderr_path = reader.text();
    read_place(reader, attempt);
    attempt.cgroup = read_cgroup(reader);
    if (reader.ok() && !reader.done()) read_terms(reader, attempt.terms.need());
    order_[attempt.key] = ++intents_;
    unended_[intents_] = std::move(attempt);
    return reader.done();
  }
  bool apply_started(ByteReader& reader) {
    const auto key = read_key(reader);
    const auto pid = reader.number<std::int64_t>();
    const auto ticks = reader.number<std::uint64_t>();
    if (auto* attempt = find(key)) {
      attempt->pid = pid;
      attempt->start_ticks = ticks;
    }
    return reader.done();
  }
  bool apply_asked(ByteReader& reader) {
    const auto key = read_key(reader);
    const std::chrono::milliseconds grace{reader.number<std::int64_t>()};
    if (auto* attempt = find(key)) attempt->asked = grace;
    return reader.done();
  }
  bool apply_fact(RecordType type, ByteReader& reader) {
    auto* attempt = find(read_key(reader));
    Terms nobodys;
    Terms& terms = attempt == nullptr ? nobodys : attempt->terms.need();
    if (type == RecordType::timed_out) terms.timed_out = true;
    if (type == RecordType::main_ended) terms.main_status = reader.number<std::int32_t>();
    if (type == RecordType::held) terms.held = reader.number<std::uint8_t>() != 0;
    if (type == RecordType::unit) {
      for (auto* path : {&terms.cgroup.unified, &terms.cgroup.freezer, &terms.cgroup.cpuacct, &terms.cgroup.memory,
                         &terms.cgroup.named}) {
        *path = reader.text();
      }
    }
    return reader.done();
  }
  bool apply_ended(std::string_view payload) {
    auto attempt = decode_attempt(payload);
    if (!attempt) return false;
    if (const auto known = order_.find(attempt->key); known != order_.end()) {
      unended_.erase(known->second);
      order_.erase(known);
    }
    content_.last_record = std::max(content_.last_record, attempt->record);
    content_.ended.push_back(std::move(*attempt));
    return true;
  }
  bool apply_confirmed(ByteReader& reader) {
    content_.confirmed = std::max(content_.confirmed, reader.number<std::uint64_t>());
    content_.last_record = std::max(content_.last_record, content_.confirmed);
    return reader.done();
  }
  UnendedAttempt* find(AttemptKey key) {
    const auto known = order_.find(key);
    return known == order_.end() ? nullptr : &unended_[known->second];
  }

  JournalContent& content_;
  std::uint64_t intents_ = 0;
  std::map<AttemptKey, std::uint64_t> order_;
  std::map<std::uint64_t, UnendedAttempt> unended_;
};

bool read_header(std::string_view bytes, Session& session) {
  if (bytes.size() < kJournalHeaderBytes || bytes.substr(0, kMagic.size()) != kMagic) return false;
  const auto checked = bytes.substr(0, kJournalHeaderBytes - 4);
  if (ByteReader(bytes.substr(checked.size())).number<std::uint32_t>() != crc32(checked)) return false;
  if (ByteReader(bytes.substr(kMagic.size())).number<std::uint32_t>() != kJournalVersion) return false;
  session.journal_id = read_id(bytes.substr(12, 16));
  session.boot_id = read_id(bytes.substr(28, 16));
  return true;
}

}  // namespace

JournalReading read_journal(std::string_view bytes) {
  JournalReading reading;
  if (!read_header(bytes, reading.content.session)) {
    reading.verdict = JournalVerdict::damaged;
    return reading;
  }
  Replay replay(reading.content);
  reading.end = kJournalHeaderBytes;
  for (auto record = record_at(bytes, reading.end); record; record = record_at(bytes, reading.end)) {
    if (!replay.apply(*record)) break;
    reading.end += record->size;
    ++reading.records;
  }
  replay.finish();
  const auto rest = bytes.substr(reading.end);
  if (rest.find_first_not_of('\0') != std::string_view::npos) {
    reading.verdict = any_record_after(bytes, reading.end) ? JournalVerdict::damaged : JournalVerdict::torn;
  }
  return reading;
}

std::string encode_journal_header(const Session& session) {
  std::string header(kMagic);
  ByteWriter(header).number(kJournalVersion);
  append_id(header, session.journal_id);
  append_id(header, session.boot_id);
  header.resize(kJournalHeaderBytes - 4, '\0');
  ByteWriter(header).number(crc32(header));
  return header;
}

void append_record(std::string& out, RecordType type, std::string_view payload) {
  std::string checked;
  checked.reserve(payload.size() + kRecordHead);
  ByteWriter(checked).number(static_cast<std::uint32_t>(payload.size())).number(static_cast<std::uint8_t>(type));
  checked.append(payload);
  ByteWriter(out).number(crc32(checked));
  out.append(checked);
}

void append_run(std::string& out, RunId run, const std::string& cluster_id, Epoch epoch) {
  std::string payload;
  ByteWriter(payload).number(run.value).text(cluster_id).number(epoch.value);
  append_record(out, RecordType::run, payload);
}

void append_intent(std::string& out, const UnendedAttempt& attempt) {
  std::string payload;
  ByteWriter writer(payload);
  writer.number(attempt.key.task.value).number(attempt.key.attempt.value);
  writer.number(attempt.started_at.microseconds).number(attempt.started.microseconds);
  writer.text(attempt.stdout_path).text(attempt.stderr_path);
  write_place(writer, attempt);
  if (attempt.terms || !attempt.cgroup.empty()) write_cgroup(writer, attempt.cgroup);
  if (attempt.terms) write_terms(writer, *attempt.terms);
  append_record(out, RecordType::intent, payload);
}

void append_started(std::string& out, AttemptKey key, std::int64_t pid, std::uint64_t start_ticks) {
  std::string payload;
  write_key(ByteWriter(payload), key).number(pid).number(start_ticks);
  append_record(out, RecordType::started, payload);
}

void append_asked(std::string& out, AttemptKey key, std::chrono::milliseconds grace) {
  std::string payload;
  write_key(ByteWriter(payload), key).number(static_cast<std::int64_t>(grace.count()));
  append_record(out, RecordType::asked, payload);
}

void append_timed_out(std::string& out, AttemptKey key) {
  std::string payload;
  write_key(ByteWriter(payload), key);
  append_record(out, RecordType::timed_out, payload);
}

void append_main_ended(std::string& out, AttemptKey key, std::int32_t wait_status) {
  std::string payload;
  write_key(ByteWriter(payload), key).number(wait_status);
  append_record(out, RecordType::main_ended, payload);
}

void append_held(std::string& out, AttemptKey key, bool held) {
  std::string payload;
  write_key(ByteWriter(payload), key).number(static_cast<std::uint8_t>(held ? 1 : 0));
  append_record(out, RecordType::held, payload);
}

void append_unit(std::string& out, AttemptKey key, const UnitCgroup& cgroup) {
  std::string payload;
  write_key(ByteWriter(payload), key)
      .text(cgroup.unified)
      .text(cgroup.freezer)
      .text(cgroup.cpuacct)
      .text(cgroup.memory)
      .text(cgroup.named);
  append_record(out, RecordType::unit, payload);
}

void append_ended(std::string& out, const KeptAttempt& attempt) {
  append_record(out, RecordType::ended, encode_attempt(attempt));
}

void append_confirmed(std::string& out, std::uint64_t record) {
  std::string payload;
  ByteWriter(payload).number(record);
  append_record(out, RecordType::confirmed, payload);
}

JournalContent in_new_session(JournalContent content, Session session) {
  content.session = std::move(session);
  content.confirmed = 0;
  content.last_record = 0;
  for (auto& attempt : content.ended) attempt.record = ++content.last_record;
  return content;
}

JournalContent after_reboot(JournalContent content, const std::string& boot_id) {
  Session session{content.session.journal_id, boot_id};
  content = in_new_session(std::move(content), std::move(session));
  for (const auto& attempt : content.unended) {
    KeptAttempt ended;
    ended.key = attempt.key;
    ended.state = KeptState::ended;
    ended.pid = attempt.pid;
    ended.started_at = attempt.started_at;
    ended.record = ++content.last_record;
    ended.by_request = attempt.asked.has_value();
    ended.millicores = attempt.millicores;
    ended.memory_bytes = attempt.memory_bytes;
    ended.numa_node = attempt.numa_node;
    ended.message = "node restarted";
    content.ended.push_back(std::move(ended));
  }
  content.unended.clear();
  return content;
}

std::string encode_journal(const JournalContent& content) {
  std::string bytes = encode_journal_header(content.session);
  append_run(bytes, content.run, content.cluster_id, content.epoch);
  append_confirmed(bytes, content.confirmed);
  for (const auto& attempt : content.ended) append_ended(bytes, attempt);
  for (const auto& attempt : content.unended) {
    append_intent(bytes, attempt);
    if (attempt.pid != 0) append_started(bytes, attempt.key, attempt.pid, attempt.start_ticks);
    if (attempt.asked) append_asked(bytes, attempt.key, *attempt.asked);
    if (attempt.terms) append_facts(bytes, attempt.key, *attempt.terms);
  }
  return bytes;
}

}  // namespace hakuriver::keeper
