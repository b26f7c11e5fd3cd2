// A run: what its schedule decides is done by its backend, and what happens is recorded and told.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/jobserver.hpp"
#include "engine/journal_file.hpp"
#include "engine/result_folders.hpp"
#include "engine/run_control.hpp"
#include "engine/run_variables.hpp"
#include "hakuriver/backend.hpp"
#include "hakuriver/plan.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/run/journal_index.hpp"
#include "hakuriver/run/schedule.hpp"
#include "hakuriver/run_events.hpp"
#include "hakuriver/run_options.hpp"
#include "hakuriver/selection.hpp"

namespace hakuriver::engine {

// What a run keeps and goes by.
struct RunRecords {
  std::optional<JournalFile> journal;
  std::optional<JournalIndex> earlier;  // of the journal that is gone on with
  std::optional<ResultFolders> results;
  std::optional<Jobserver> jobserver;
  std::string run;  // HAKURUN_RUN
};

// Used once, on one thread. All that it is given outlives it.
class RunLoop : private BackendEvents, private Obedient {
 public:
  RunLoop(const Plan& plan, const RunOptions& options, const RunEvents& events, Backend& backend, RunRecords& records);
  ~RunLoop() override;
  RunLoop(const RunLoop&) = delete;
  RunLoop& operator=(const RunLoop&) = delete;

  Result<RunSummary> run();

 private:
  // A command that was started and has not ended.
  struct Live {
    std::uint64_t position = 0;  // in the selection
    std::uint32_t slot = 1;
    bool has_jobserver_place = false;
    Command command;
    std::string text;  // for the journal
    ResultFolder folder;
    std::uint64_t output_bytes = 0;
  };

  Status prepare();
  Status loop();
  bool start_more();
  bool leaves_out(MonotonicTime now, Live& live);
  bool has_room();
  StartAnswer start_one(const PlannedStart& start, Live live);
  StartAnswer start_range(const PlannedStart& start);
  bool prepare_child(Live& live, std::uint64_t index);
  std::uint32_t take_slot();
  std::optional<MonotonicTime> wait_until(bool more) const;
  void obey_schedule();
  Live take_live(std::uint64_t index);
  void record(const Live& live, const RunEnd& end);
  void fail(const Error& error);
  void notice(const std::string& line) const;

  void started(std::uint64_t index, std::uint32_t attempt, std::int64_t process) override;
  void output(std::uint64_t index, std::uint32_t attempt, OutputStream stream, std::string_view bytes) override;
  void ended(std::uint64_t index, std::uint32_t attempt, const AttemptEnd& end) override;
  void readable(int descriptor) override;
  void obey(RunWish wish) override;

  const Plan& plan_;
  const RunOptions& options_;
  const RunEvents& events_;
  Backend& backend_;
  RunRecords& records_;
  const Selection selection_;
  RunSchedule schedule_;
  std::unordered_map<std::uint64_t, Live> live_;  // by place in the plan
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> free_slots_;
  std::uint32_t slots_ = 0;
  RunVariables variables_;
  std::optional<MonotonicTime> ask_for_room_at_;
  bool holds_jobserver_place_ = false;  // for the next start
  bool watches_jobserver_ = false;
  bool first_stdin_given_ = false;
  std::uint64_t changed_ = 0;
  bool interrupted_ = false;
  bool has_withdrawn_ = false;
  std::optional<Error> failure_;
};

}  // namespace hakuriver::engine
