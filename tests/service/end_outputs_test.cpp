#include "service/end_outputs.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "service/runner_start.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::service;

namespace {

constexpr BatchId kBatch{41};
constexpr std::uint64_t kMost = 4096;

// What some tasks have reported, and what lies in the shared directory.
class Ended {
 public:
  Ended() { REQUIRE(create_output_directories(shared_.path())); }

  // The index-th task ends; its files are as long as it says.
  void add(const std::string& out, const std::string& err) {
    EndRecord end;
    end.batch = kBatch;
    end.first = task_of(kBatch, ends_.ends.size());
    end.attempt = Attempt{2};
    end.status = TaskStatus::completed;
    end.stdout_bytes = out.size();
    end.stderr_bytes = err.size();
    write(path(end, false), out);
    write(path(end, true), err);
    ends_.ends.push_back(end);
  }

  std::string path(const EndRecord& end, bool is_stderr) const {
    const AttemptKey key{end.first, end.attempt};
    return is_stderr ? stderr_path_of(shared_.path(), key) : stdout_path_of(shared_.path(), key);
  }
  std::string path(std::size_t index, bool is_stderr) const { return path(ends_.ends[index], is_stderr); }

  static void write(const std::string& path, const std::string& bytes) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }

  wire::BatchEnds with_outputs(std::uint64_t most = kMost, const EndOutputBounds& bounds = {}) const {
    wire::BatchEnds ends = ends_;
    add_outputs(ends, shared_.path(), most, bounds);
    return ends;
  }

 private:
  test::ScratchDirectory shared_;
  wire::BatchEnds ends_;
};

wire::EndOutput output(std::uint64_t index, bool is_stderr, const std::string& bytes) {
  return {task_of(kBatch, index), is_stderr, bytes};
}

}  // namespace

TEST_CASE("what short tasks wrote comes with their ends, whatever the bytes are") {
  Ended ended;
  ended.add("one\n", "to stderr");
  ended.add(std::string("\0\xff\xfe\n", 4), "");
  ended.add("", "");
  ended.add("", "only there");
  const auto ends = ended.with_outputs();
  CHECK(ends.ends.size() == 4);
  CHECK(ends.outputs == std::vector{output(0, false, "one\n"), output(0, true, "to stderr"),
                                    output(1, false, std::string("\0\xff\xfe\n", 4)), output(3, true, "only there")});
}

TEST_CASE("no outputs come where none are asked for") {
  Ended ended;
  ended.add("one\n", "");
  const auto ends = ended.with_outputs(0);
  CHECK(ends.ends.size() == 1);
  CHECK(ends.outputs.empty());
}

TEST_CASE("an output that is longer than what is asked for is left out") {
  Ended ended;
  ended.add(std::string(kMost, 'x'), std::string(kMost + 1, 'y'));
  CHECK(ended.with_outputs().outputs == std::vector{output(0, false, std::string(kMost, 'x'))});
  // A child of the task wrote on after its end.
  Ended::write(ended.path(0, false), std::string(kMost + 1, 'x'));
  CHECK(ended.with_outputs().outputs.empty());
}

TEST_CASE("an output of which the host does not see all is left out, and the other stream comes") {
  Ended ended;
  ended.add("all of it", "here");
  SUBCASE("shorter") { Ended::write(ended.path(0, false), "all of"); }
  SUBCASE("empty") { Ended::write(ended.path(0, false), ""); }
  SUBCASE("absent") { std::filesystem::remove(ended.path(0, false)); }
  SUBCASE("a symbolic link") {
    std::filesystem::remove(ended.path(0, false));
    std::filesystem::create_symlink(ended.path(0, true), ended.path(0, false));
  }
  SUBCASE("a directory") {
    std::filesystem::remove(ended.path(0, false));
    std::filesystem::create_directory(ended.path(0, false));
  }
  const auto ends = ended.with_outputs();
  CHECK(ends.ends.size() == 1);
  CHECK(ends.outputs == std::vector{output(0, true, "here")});
}

TEST_CASE("ends beyond the bounds of an answer wait for the next one") {
  Ended ended;
  for (int i = 0; i < 10; ++i) ended.add("12345", "123");
  struct Case {
    EndOutputBounds bounds;
    std::size_t ends;
  };
  for (const auto& each : {Case{{1 << 20, 512}, 10}, Case{{80, 20}, 10}, Case{{24, 512}, 3}, Case{{25, 512}, 4},
                           Case{{1, 512}, 1}, Case{{1 << 20, 4}, 2}, Case{{1 << 20, 5}, 3}, Case{{1 << 20, 1}, 1}}) {
    CAPTURE(each.bounds.bytes);
    CAPTURE(each.bounds.files);
    const auto ends = ended.with_outputs(kMost, each.bounds);
    REQUIRE(ends.ends.size() == each.ends);
    CHECK(ends.outputs.size() == 2 * each.ends);
    CHECK(ends.ends.back().first == task_of(kBatch, each.ends - 1));
  }
}

TEST_CASE("tasks that wrote nothing, too much, or elsewhere do not end an answer early but by the files looked for") {
  Ended ended;
  for (int i = 0; i < 3; ++i) ended.add("", std::string(kMost + 1, 'x'));
  CHECK(ended.with_outputs(kMost, {1, 1}).ends.size() == 3);
  Ended elsewhere;
  for (int i = 0; i < 3; ++i) elsewhere.add("one", "");
  for (std::size_t i = 0; i < 3; ++i) std::filesystem::remove(elsewhere.path(i, false));
  CHECK(elsewhere.with_outputs(kMost, {1, 2}).ends.size() == 2);
}
