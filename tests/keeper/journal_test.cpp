#include "keeper/journal.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>

#include "keeper/crc32.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::keeper;
using hakuriver::test::contents_of;
using hakuriver::test::ScratchDirectory;

static_assert(crc32("123456789") == 0xCBF43926u);

namespace {

const std::string kBoot(32, 'b');

UnendedAttempt intent(std::uint64_t task) {
  UnendedAttempt attempt;
  attempt.key = {TaskId{task}, Attempt{1}};
  attempt.started_at = {1000 + static_cast<std::int64_t>(task)};
  attempt.started = {10};
  attempt.stdout_path = "/o/" + std::to_string(task) + ".out";
  attempt.stderr_path = "/o/" + std::to_string(task) + ".err";
  attempt.millicores = task * 500;
  attempt.memory_bytes = task << 30;
  if (task % 2 == 0) attempt.numa_node = 0;
  return attempt;
}

KeptAttempt ended(std::uint64_t task, std::uint64_t record) {
  KeptAttempt attempt;
  attempt.key = {TaskId{task}, Attempt{1}};
  attempt.state = KeptState::ended;
  attempt.record = record;
  attempt.outcome = {OutcomeKind::exited, 3};
  attempt.message = "m";
  attempt.millicores = task * 500;
  return attempt;
}

// Tasks 1 and 2 ended, record 1 is confirmed, 3 runs and was asked to end, 4 was only intended.
std::string sample_journal() {
  std::string bytes = encode_journal_header({std::string(32, 'a'), kBoot});
  append_run(bytes, RunId{1}, "cluster", Epoch{5});
  for (std::uint64_t task = 1; task <= 3; ++task) append_intent(bytes, intent(task));
  for (std::uint64_t task = 1; task <= 3; ++task)
    append_started(bytes, intent(task).key, 100 + static_cast<int>(task), 7);
  append_ended(bytes, ended(1, 1));
  append_asked(bytes, intent(3).key, std::chrono::milliseconds{50});
  append_confirmed(bytes, 1);
  append_ended(bytes, ended(2, 2));
  append_intent(bytes, intent(4));
  return bytes;
}

Descriptor open_directory(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

TEST_CASE("the terms of an attempt and what became of them are read back, and survive a rewriting") {
  auto attempt = intent(9);
  auto& terms = attempt.terms.need();
  terms.time_limit = std::chrono::hours{2};
  terms.time_limit_grace = std::chrono::seconds{3};
  terms.reports_start = true;
  terms.unit = "hakuriver-task-9.scope";
  terms.control = {"/opt/launcher", "--unit", "x"};
  std::string bytes = encode_journal_header({std::string(32, 'a'), kBoot});
  append_intent(bytes, attempt);
  CHECK(read_journal(bytes).content.unended == std::vector{attempt});
  terms.timed_out = true;
  terms.main_status = 256;
  terms.held = true;
  terms.cgroup = {"/u", "/f", "/a", "/m", "/n"};
  append_timed_out(bytes, attempt.key);
  append_main_ended(bytes, attempt.key, 256);
  append_held(bytes, attempt.key, true);
  append_unit(bytes, attempt.key, terms.cgroup);
  const auto reading = read_journal(bytes);
  CHECK(reading.verdict == JournalVerdict::whole);
  CHECK(reading.content.unended == std::vector{attempt});
  CHECK(read_journal(encode_journal(reading.content)).content == reading.content);
  append_held(bytes, attempt.key, false);
  CHECK_FALSE(read_journal(bytes).content.unended.at(0).terms->held);
}

TEST_CASE("a journal is read back as the facts that were written") {
  const auto reading = read_journal(sample_journal());
  CHECK(reading.verdict == JournalVerdict::whole);
  const auto& content = reading.content;
  CHECK(content.session == Session{std::string(32, 'a'), kBoot});
  CHECK(content.run == RunId{1});
  CHECK(content.cluster_id == "cluster");
  CHECK(content.epoch == Epoch{5});
  CHECK(content.confirmed == 1);
  CHECK(content.last_record == 2);
  REQUIRE(content.ended.size() == 1);
  CHECK(content.ended[0] == ended(2, 2));
  REQUIRE(content.unended.size() == 2);
  CHECK(content.unended[0].pid == 103);
  CHECK(content.unended[0].asked == std::chrono::milliseconds{50});
  CHECK(content.unended[1] == intent(4));
  const auto again = read_journal(encode_journal(content));
  CHECK(again.verdict == JournalVerdict::whole);
  CHECK(again.content == content);
  CHECK(read_journal(sample_journal() + std::string(5000, '\0')).verdict == JournalVerdict::whole);
}

TEST_CASE("an intent that does not say what it holds of the node is read all the same") {
  auto payload = std::string();
  append_intent(payload, intent(2));
  std::string bytes = encode_journal_header({std::string(32, 'a'), kBoot});
  append_record(bytes, RecordType::intent, std::string_view(payload).substr(9, payload.size() - 9 - 21));
  const auto reading = read_journal(bytes);
  CHECK(reading.verdict == JournalVerdict::whole);
  REQUIRE(reading.content.unended.size() == 1);
  CHECK(reading.content.unended[0].stderr_path == intent(2).stderr_path);
  CHECK(reading.content.unended[0].millicores == 0);
}

TEST_CASE("a journal cut at any byte tells a beginning of the truth") {
  const auto bytes = sample_journal();
  std::size_t whole = 0;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CAPTURE(size);
    // Zeros that follow may stand for zeros that were cut off.
    for (const auto& cut : {bytes.substr(0, size), bytes.substr(0, size) + std::string(300, '\0')}) {
      const auto reading = read_journal(cut);
      if (size < kJournalHeaderBytes) {
        CHECK(reading.verdict == JournalVerdict::damaged);
        continue;
      }
      CHECK(reading.verdict != JournalVerdict::damaged);
      if (cut.size() == size) CHECK(reading.end <= size);
      CHECK(cut.substr(0, reading.end) == bytes.substr(0, reading.end));
      whole = std::max(whole, reading.records);
    }
  }
  CHECK(whole == 12);
}

TEST_CASE("a changed byte is found wherever it is, and what follows it is not believed") {
  const auto bytes = sample_journal();
  const auto last_intent = bytes.size() - 9 - 12 - 16 - 2 * (4 + std::string("/o/4.out").size()) - 21;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    CAPTURE(at);
    auto changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    const auto reading = read_journal(changed);
    CHECK(reading.verdict == (at < last_intent ? JournalVerdict::damaged : JournalVerdict::torn));
    if (at >= kJournalHeaderBytes) CHECK(reading.end <= at);
    CHECK(reading.records < 12);
  }
}

TEST_CASE("after a reboot nothing runs, and records are numbered anew") {
  const auto content = after_reboot(read_journal(sample_journal()).content, std::string(32, 'c'));
  CHECK(content.session == Session{std::string(32, 'a'), std::string(32, 'c')});
  CHECK(content.unended.empty());
  CHECK(content.confirmed == 0);
  REQUIRE(content.ended.size() == 3);
  CHECK(content.ended[0] == ended(2, 1));
  CHECK(content.ended[1].key == intent(3).key);
  CHECK(content.ended[1].outcome.kind == OutcomeKind::unknown);
  CHECK(content.ended[1].by_request);
  CHECK(content.ended[1].millicores == intent(3).millicores);
  CHECK(content.ended[1].message == "node restarted");
  CHECK(content.ended[2].record == 3);
  CHECK(content.last_record == 3);
}

TEST_CASE("a journal file goes on where it was, with a torn end cut off") {
  ScratchDirectory scratch;
  const auto directory = open_directory(scratch.path());
  std::string id;
  {
    auto opened = Journal::open(directory.get(), kBoot);
    REQUIRE(opened.has_value());
    id = opened->content.session.journal_id;
    append_intent(opened->journal.pending(), intent(1));
    append_intent(opened->journal.pending(), intent(2));
    REQUIRE(opened->journal.flush().has_value());
    append_intent(opened->journal.pending(), intent(3));
    opened->journal.drop_pending();
  }
  auto bytes = contents_of(scratch / "journal");
  const auto end = read_journal(bytes).end;
  scratch.write("journal", bytes.substr(0, end - 1));
  {
    auto opened = Journal::open(directory.get(), kBoot);
    REQUIRE(opened.has_value());
    CHECK(opened->content.session.journal_id == id);
    CHECK(opened->content.unended.size() == 1);
    CHECK(opened->notes.size() == 1);
    append_ended(opened->journal.pending(), ended(1, 1));
    REQUIRE(opened->journal.reserve(100'000).has_value());
    REQUIRE(opened->journal.flush().has_value());
  }
  const auto opened = Journal::open(directory.get(), kBoot);
  REQUIRE(opened.has_value());
  CHECK(opened->notes.empty());
  CHECK(opened->content.unended.empty());
  CHECK(opened->content.ended.size() == 1);
}

TEST_CASE("a damaged journal is set aside under its first free name, and its beginning goes on under a new id") {
  ScratchDirectory scratch;
  const auto directory = open_directory(scratch.path());
  auto bytes = sample_journal();
  const auto second_end = bytes.find("/o/2.err");
  bytes[second_end] = '!';
  for (const char* name : {"journal.damaged-1", "journal.damaged-2"}) {
    scratch.write("journal", bytes);
    const auto opened = Journal::open(directory.get(), kBoot);
    REQUIRE(opened.has_value());
    CHECK(contents_of(scratch / name) == bytes);
    REQUIRE(opened->notes.size() == 1);
    CHECK(opened->notes[0].find(name) != std::string::npos);
    CHECK(opened->content.session.journal_id != std::string(32, 'a'));
    CHECK(opened->content.session.boot_id == kBoot);
    CHECK(opened->content.epoch == Epoch{5});
    CHECK(opened->content.unended.size() == 1);
    CHECK(opened->content.ended.empty());
  }
}

TEST_CASE("a rewritten journal keeps its id and says the same") {
  ScratchDirectory scratch;
  const auto directory = open_directory(scratch.path());
  scratch.write("journal", sample_journal());
  auto opened = Journal::open(directory.get(), kBoot);
  REQUIRE(opened.has_value());
  const auto content = opened->content;
  REQUIRE(opened->journal.rewrite(content, 1000).has_value());
  const auto again = Journal::open(directory.get(), kBoot);
  REQUIRE(again.has_value());
  CHECK(again->content == content);
}
