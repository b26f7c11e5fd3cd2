#include "service/end_outputs.hpp"

#include <utility>

#include "service/runner_start.hpp"
#include "service/task_output.hpp"

namespace hakuriver::service {

namespace {

class OutputAdder {
 public:
  OutputAdder(std::vector<wire::EndOutput>& outputs, const std::string& shared_dir, std::uint64_t most_bytes)
      : outputs_(outputs), shared_dir_(shared_dir), most_bytes_(most_bytes) {}

  void add(const EndRecord& end) {
    const AttemptKey key{end.first, end.attempt};
    add(end.first, false, end.stdout_bytes, stdout_path_of(shared_dir_, key));
    add(end.first, true, end.stderr_bytes, stderr_path_of(shared_dir_, key));
  }

  bool has_reached(const EndOutputBounds& bounds) const { return bytes_ >= bounds.bytes || files_ >= bounds.files; }

 private:
  void add(TaskId task, bool is_stderr, std::uint64_t written, const std::string& path) {
    if (written == 0 || written > most_bytes_) return;
    ++files_;
    auto range = read_output(path, 0, most_bytes_);
    // Another host of a network file system may see less for a while; and more where a child writes on.
    if (!range || range->size < written || range->bytes.size() != range->size) return;
    bytes_ += range->bytes.size();
    outputs_.push_back({task, is_stderr, std::move(range->bytes)});
  }

  std::vector<wire::EndOutput>& outputs_;
  const std::string& shared_dir_;
  const std::uint64_t most_bytes_;
  std::size_t bytes_ = 0;
  std::size_t files_ = 0;
};

}  // namespace

void add_outputs(wire::BatchEnds& ends, const std::string& shared_dir, std::uint64_t most_bytes,
                 const EndOutputBounds& bounds) {
  if (most_bytes == 0 || shared_dir.empty()) return;
  OutputAdder adder(ends.outputs, shared_dir, most_bytes);
  std::size_t kept = 0;
  while (kept < ends.ends.size() && !adder.has_reached(bounds)) adder.add(ends.ends[kept++]);
  ends.ends.resize(kept);
}

}  // namespace hakuriver::service
