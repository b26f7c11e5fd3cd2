#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "hakuriver/run/journal.hpp"
#include "hakuriver/run/journal_index.hpp"
#include "hakuriver/run/quoted_text.hpp"
#include "hakuriver/run/result_folder.hpp"

using namespace hakuriver;
using namespace std::string_literals;

TEST_CASE("a journal's text is one line of UTF-8 that a shell reads back") {
  struct Row {
    Argv argv;
    std::string text;
  };
  for (const Row& row : std::vector<Row>{{{"echo", "a b", ""}, "echo 'a b' ''"},
                                         {{"a\tb", "c\nd"}, "$'a\\011b' $'c\\012d'"},
                                         {{"x", "\xff\xfe"}, "x $'\\377\\376'"},
                                         {{"x", "\xc3\xa9'\x01"}, "x $'\xc3\xa9\\'\\001'"},
                                         {{"x", "\xc3\xa9"}, "x '\xc3\xa9'"},
                                         {{"\x7f\\"}, "$'\\177\\\\'"},
                                         {{"A=1", "x"}, "'A=1' x"},
                                         {{}, ""}}) {
    CHECK(journal_text(row.argv) == row.text);
    CHECK(is_plain_line(journal_text(row.argv)));
  }
  CHECK(journal_text(std::string_view("lr=0.1,b=a b")) == "lr=0.1,b=a b");
  CHECK(journal_text(std::string_view("a\tb")) == "$'a\\011b'");
  CHECK(journal_text(std::string_view("$'a'")) == "$'$\\'a\\''");
}

TEST_CASE("UTF-8 is what RFC 3629 says") {
  for (const std::string good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                                 "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xe2\x82\xac z"}) {
    CAPTURE(good);
    CHECK(is_utf8(good));
  }
  for (const std::string bad : {"\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82",
                                "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xe2\x82"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("a record has GNU parallel's columns and ours, and is read back") {
  JournalEntry entry;
  entry.number = 7;
  entry.started_at = {1'700'000'000'123'456};
  entry.elapsed = std::chrono::microseconds{12'345'678};
  entry.output_bytes = 42;
  entry.outcome = {OutcomeKind::exited, 3};
  entry.command = "echo 'a b'";
  entry.name = "1=a b";
  entry.attempt = 2;
  entry.usage = {1'500'000, 4096};
  std::string line;
  append_record(line, entry);
  CHECK(line == "7\t:\t1700000000.123\t    12.345\t0\t42\t3\t0\techo 'a b'\t1=a b\t2\t4096\t1.500\n");
  const auto record = parse_record(std::string_view(line).substr(0, line.size() - 1));
  REQUIRE(record);
  CHECK(record->number == 7);
  CHECK_FALSE(record->succeeded);
  CHECK(record->command == entry.command);
  CHECK(record->name == entry.name);
  CHECK(parse_record("1\t:\t1.0\t 0.1\t0\t0\t0\t0\techo x")->command == "echo x");
}

TEST_CASE("Exitval and Signal are GNU parallel's") {
  struct Row {
    Outcome outcome;
    bool timed_out;
    std::string text;
  };
  for (const Row& row : std::vector<Row>{{{OutcomeKind::exited, 0}, false, "0\t0"},
                                         {{OutcomeKind::exited, 255}, false, "255\t0"},
                                         {{OutcomeKind::signaled, 9}, false, "0\t9"},
                                         {{OutcomeKind::oom_killed, 9}, false, "0\t9"},
                                         {{OutcomeKind::signaled, 15}, true, "-1\t15"},
                                         {{OutcomeKind::exited, 0}, true, "-1\t0"},
                                         {{OutcomeKind::never_started, 12}, false, "-1\t0"},
                                         {{OutcomeKind::unknown, 0}, false, "-1\t0"}}) {
    std::string text;
    journal_detail::append_outcome(text, row.outcome, row.timed_out);
    CHECK(text == row.text);
  }
}

TEST_CASE("what is no record is none") {
  for (const std::string& bad : std::vector<std::string>{
           ""s, "x"s, "1\t:\t1.0\t 0.1\t0\t0\t0\t0"s, "x\t:\t1\t1\t0\t0\t0\t0\tc"s, "1\t:\t1\t1\t0\t0\t\t0\tc"s,
           "1\t:\t1\t1\t0\t0\t0\t0\tc\tn"s, "1\t:\t1\t1\t0\t0\t0\t0\tc\tn\t1\t0\t0\tx"s,
           "1\t:\t1\t1\t0\t0\t0\t0\tc\0\tn\t1\t0\t0"s, std::string(40, '\0')}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_record(bad));
  }
}

TEST_CASE("an index knows the last record of each command, and commands that have changed") {
  using Known = JournalIndex::Known;
  JournalIndex index;
  index.add("a=1", "x 1", false);
  index.add("a=2", "x 2", true);
  index.add("a=1", "x 1", true);
  index.add("a=3", "x 3", true);
  index.add("a=3", "x 3", false);
  index.add("", "plain", true);
  index.finish();
  CHECK(index.size() == 4);
  CHECK(index.has_failures());
  CHECK(index.find("a=1", "x 1") == Known::succeeded);
  CHECK(index.find("a=2", "x 2") == Known::succeeded);
  CHECK(index.find("a=3", "x 3") == Known::failed);
  CHECK(index.find("a=1", "y 1") == Known::changed);
  CHECK(index.find("a=4", "x 4") == Known::nothing);
  CHECK(index.find("", "plain") == Known::succeeded);
  CHECK(index.find("", "other") == Known::nothing);
}

TEST_CASE("folders are named after parameters, safely and each its own") {
  struct Row {
    std::string name;
    std::string folder;
  };
  for (const Row& row : std::vector<Row>{{"lr=0.1,batch=32", "lr=0.1,batch=32"},
                                         {"", "9"},
                                         {"1=a/b", "1=a%2fb"},
                                         {"..", "%2e."},
                                         {"-x", "%2dx"},
                                         {"1=a%2fb", "1=a%252fb"},
                                         {"1=\xff\n~", "1=%ff%0a%7e"},
                                         {"1=\xc3\xa9 z", "1=\xc3\xa9 z"}}) {
    CHECK(result_folder_name(row.name, 9) == row.folder);
  }
  const std::string long_name = "x=" + std::string(5000, 'a');
  const auto folder = result_folder_name(long_name, 1);
  CHECK(folder.size() <= 255);
  CHECK(folder.substr(0, 4) == "x=aa");
  CHECK(result_folder_name(long_name + "b", 1) != folder);
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "\xe2\x82\xac";
  CHECK(is_utf8(result_folder_name(wide, 1)));
  CHECK(result_folder_name(std::string(200, 'a'), 1).size() == 200);
}

TEST_CASE("params.json and outcome.json") {
  Command command;
  command.argv = {"run", "a\"b", "\xff\x01"};
  command.name = "lr=0.1,n=3,k=007";
  command.parameters = {{"lr", {"0.1", false}}, {"n", {"3", true}}, {"k", {"007", true}}, {"m", {"-0", true}}};
  const auto params = params_json(command, 12);
  CHECK(params ==
        "{\n  \"index\": 12,\n  \"name\": \"lr=0.1,n=3,k=007\",\n  \"command\": [\"run\", \"a\\\"b\", {\"base64\": "
        "\"/wE=\"}],\n  \"parameters\": {\"lr\": \"0.1\", \"n\": 3, \"k\": \"007\", \"m\": \"-0\"}\n}\n");
  CHECK(number_in_params_json(params) == 12);
  for (const std::string bad : {"", "{}", "{\n  \"index\": ", "{\n  \"index\": 12", "{\n  \"index\": x,"}) {
    CHECK_FALSE(number_in_params_json(bad));
  }
  RunEnd end{.index = 0,
             .attempt = 2,
             .slot = 1,
             .verdict = EndVerdict::failed,
             .timed_out = false,
             .outcome = {OutcomeKind::exited, 3},
             .usage = {1'000'001, 2048},
             .started_at = {1'000'000},
             .elapsed = std::chrono::microseconds{2'500'000},
             .message = "",
             .command = command};
  CHECK(outcome_json(end) ==
        "{\n  \"succeeded\": false,\n  \"exit_code\": 3,\n  \"signal\": null,\n  \"timed_out\": false,\n"
        "  \"attempt\": 2,\n  \"started\": \"1970-01-01T00:00:01.000000+00:00\",\n  \"seconds\": 2.500000,\n"
        "  \"cpu_seconds\": 1.000001,\n  \"max_rss_bytes\": 2048\n}\n");
  CHECK(json_text("a\n\\") == "\"a\\u000a\\\\\"");
}
