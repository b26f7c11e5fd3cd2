// What a keeper's journal says, read back. Pure: bytes in, facts out.
//
// The file is a header of 64 bytes (magic "HKRVJRNL", version, journal id, boot id, CRC-32 at its end) and records:
// CRC-32 of the rest, length of the payload, type, payload. Zeros follow the last record, because space is taken ahead.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/keeper.hpp"
#include "keeper/rare.hpp"
#include "keeper/unit_cgroup.hpp"

namespace hakuriver::keeper {

inline constexpr std::size_t kJournalHeaderBytes = 64;
inline constexpr std::uint32_t kJournalVersion = 1;
inline constexpr std::size_t kMaxRecordPayload = 16 * 1024;

// A number never changes its meaning.
enum class RecordType : std::uint8_t {
  run = 1,        // an agent took over: run, cluster id, epoch
  intent = 2,     // an attempt is about to be started
  started = 3,    // it runs
  asked = 4,      // it was asked to end
  ended = 5,      // it ended: everything that is known of it
  confirmed = 6,  // records up to here are the host's
  // Of attempts with terms:
  timed_out = 7,   // it reached its time limit, and is ended for that
  main_ended = 8,  // how its main process ended, while the launcher has not finished
  held = 9,        // whether its launcher has paused it
  unit = 10,       // where its unit's cgroups are
};

// What few attempts have: as in the StartRequest, and what became of it.
struct Terms {
  std::chrono::milliseconds time_limit{0};
  std::chrono::milliseconds time_limit_grace{0};
  bool reports_start = false;
  std::string unit;
  Argv control;
  bool timed_out = false;
  bool held = false;
  std::optional<std::int32_t> main_status;  // as waitpid gives it
  UnitCgroup cgroup;
  bool operator==(const Terms&) const = default;
};

// An attempt that the journal intended to start and does not know to have ended.
struct UnendedAttempt {
  AttemptKey key;
  UtcTime started_at;
  MonotonicTime started;
  std::string stdout_path;
  std::string stderr_path;
  std::int64_t pid = 0;                            // 0: no `started` record
  std::uint64_t start_ticks = 0;                   // of the process, field 22 of /proc/PID/stat
  std::optional<std::chrono::milliseconds> asked;  // the grace it was asked to end with
  std::uint64_t millicores = 0;                    // as in its StartRequest
  std::uint64_t memory_bytes = 0;
  std::optional<std::uint32_t> numa_node{};
  CgroupParent cgroup{};
  Rare<Terms> terms{};
  bool operator==(const UnendedAttempt&) const = default;
};

struct JournalContent {
  Session session;
  RunId run;
  std::string cluster_id;
  Epoch epoch;
  std::uint64_t confirmed = 0;
  std::uint64_t last_record = 0;
  std::vector<UnendedAttempt> unended;  // in the order of their intents
  std::vector<KeptAttempt> ended;       // beyond `confirmed`, by record
  bool operator==(const JournalContent&) const = default;
};

enum class JournalVerdict : std::uint8_t {
  whole = 0,
  torn = 1,     // the last record is incomplete or wrong and nothing follows it
  damaged = 2,  // something is wrong and valid records follow, or the header cannot be read
};

struct JournalReading {
  JournalVerdict verdict = JournalVerdict::whole;
  JournalContent content;  // of the records before the first that is wrong
  std::size_t end = 0;     // where that is
  std::size_t records = 0;
};

JournalReading read_journal(std::string_view bytes);

std::string encode_journal_header(const Session& session);
void append_record(std::string& out, RecordType type, std::string_view payload);
void append_run(std::string& out, RunId run, const std::string& cluster_id, Epoch epoch);
void append_intent(std::string& out, const UnendedAttempt& attempt);
void append_started(std::string& out, AttemptKey key, std::int64_t pid, std::uint64_t start_ticks);
void append_asked(std::string& out, AttemptKey key, std::chrono::milliseconds grace);
void append_timed_out(std::string& out, AttemptKey key);
void append_main_ended(std::string& out, AttemptKey key, std::int32_t wait_status);
void append_held(std::string& out, AttemptKey key, bool held);
void append_unit(std::string& out, AttemptKey key, const UnitCgroup& cgroup);
void append_ended(std::string& out, const KeptAttempt& attempt);
void append_confirmed(std::string& out, std::uint64_t record);

// The same facts in a new session: what ended is numbered from 1 and nothing is confirmed.
JournalContent in_new_session(JournalContent content, Session session);

// The same facts after the machine was started again: a new session, and what had not ended is ended, unknown.
JournalContent after_reboot(JournalContent content, const std::string& boot_id);

// A whole journal that says no more than `content`.
std::string encode_journal(const JournalContent& content);

}  // namespace hakuriver::keeper
