// Output of commands that run at the same time: kept apart and written in one piece, or by lines.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cli/output_spool.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/run_events.hpp"

namespace hakuriver::cli {

// Writes everything, but never so that a reader who has stopped reading keeps us from hearing a signal: while it waits
// it calls `watched` whenever `watched_fd` (-1: none) is readable. `abandoned` tells that the rest is not wanted;
// `about_to_write` is called before each piece. unavailable where the reader is gone.
struct PatientWriter {
  int watched_fd = -1;
  std::function<void()> watched;
  std::function<bool()> abandoned;
  std::function<void()> about_to_write;

  Status write(int fd, std::string_view bytes) const;
};

struct OutputStyle {
  bool keep_order = false;  // in the order of begin()
  bool by_lines = false;    // whole lines as they come; with keep_order, those of the first that has not ended
  bool tag = false;         // each line behind the name and a tab
};

// With tags, and where the lines of commands may mix, a last line without its end gets one. Bytes are not changed
// otherwise.
class CommandOutput {
 public:
  CommandOutput(PatientWriter writer, int stdout_fd, int stderr_fd, OutputStyle style = {});

  // From here on the command's output is kept. Again for a command that has not finished: changes nothing.
  void begin(std::uint64_t index, std::string_view name = {});

  // Output of a command that is not kept (a process that it left behind writes) goes out as it comes.
  // limit where there is no room to keep it: the command's output so far is written, no longer in one piece.
  Status add(std::uint64_t index, OutputStream stream, std::string_view bytes);

  // The command has ended: writes what it has printed, stdout first, when its turn has come, and forgets it. One that
  // is to be tried again keeps its turn.
  Status finish(std::uint64_t index, bool is_tried_again = false);

  // Writes what is left, in order: nothing will end any more.
  Status finish_all();

  // Whether what the command printed has been written, as far as it has printed anything.
  bool is_written(std::uint64_t index) const { return entries_.find(index) == entries_.end(); }

 private:
  struct Stream {
    OutputSpool::Kept kept;
    bool is_mid_line = false;  // of what was written
  };
  struct Entry {
    std::array<Stream, 2> streams;
    std::string tag;
    bool has_ended = false;
  };

  bool is_live(std::uint64_t index) const;
  Status add_live(Entry& entry, std::size_t place, std::string_view bytes);
  Status write_kept(Entry& entry, std::size_t place);
  Status write(Entry& entry, std::size_t place, std::string_view bytes);
  Status write_whole(Entry& entry);
  Status write_those_whose_turn_it_is();

  PatientWriter writer_;
  std::array<int, 2> targets_;
  OutputStyle style_;
  OutputSpool spool_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::deque<std::uint64_t> order_;  // with keep_order
};

}  // namespace hakuriver::cli
