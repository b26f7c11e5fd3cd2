#include "hakuriver/run_sweep.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "engine/child_defaults.hpp"
#include "engine/child_process.hpp"
#include "engine/local_backend.hpp"
#include "engine/run_loop.hpp"

namespace hakuriver {
inline namespace v1 {
namespace {

using engine::RunRecords;

constexpr std::uint32_t kMostJobs = 1'000'000;

Error invalid(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

Status check_policies(const RunOptions& options) {
  if (options.jobs < 1 || options.jobs > kMostJobs) {
    return invalid("jobs: " + std::to_string(options.jobs) + ": expected 1 to " + std::to_string(kMostJobs));
  }
  const bool negative = options.backoff.count() < 0 || options.delay.count() < 0 || options.term_grace.count() < 0 ||
                        options.time_limit.most.count() < 0;
  if (negative) return invalid("a backoff, a delay, a grace or a time limit is negative");
  if (!(options.time_limit.percent_of_median >= 0)) return invalid("a time limit's percentage is negative");
  if (options.halt.failures < 1) return invalid("halt: after 0 failures: expected at least 1");
  if (!(options.halt.percent >= 0 && options.halt.percent <= 100)) return invalid("halt: expected 0 to 100 percent");
  if (options.most_ahead < 1) return invalid("most_ahead: 0: expected at least 1");
  if (!(options.max_load >= 0)) return invalid("the highest load is negative");
  return Unit{};
}

// setrlimit(2), RLIMIT_NICE: down to 20 - the limit.
bool may_raise_priority(int by) {
  rlimit limit{};
  if (::geteuid() == 0 || ::getrlimit(RLIMIT_NICE, &limit) != 0) return true;
  const int wanted = std::max(::getpriority(PRIO_PROCESS, 0) + by, -20);
  return static_cast<rlim_t>(20 - wanted) <= limit.rlim_cur;
}

Status check_children(const ChildOptions& children) {
  for (const auto& entry : children.environment) {
    if (entry.find('=') == std::string::npos || entry.front() == '=') {
      return invalid("environment: '" + entry + "': expected NAME=value");
    }
  }
  if (children.first_stdin == 1 || children.first_stdin == 2) {
    return invalid("the first command cannot read descriptor " + std::to_string(children.first_stdin));
  }
  if (children.nice < 0 && !may_raise_priority(children.nice)) {
    return Error{Errc::denied, "nice " + std::to_string(children.nice) + ": only root may be less nice"};
  }
  if (!children.working_directory.empty() && ::access(children.working_directory.c_str(), X_OK) != 0) {
    return Error{Errc::not_found, "'" + children.working_directory + "': no directory that can be entered"};
  }
  return Unit{};
}

Status check(const RunOptions& options) {
  if (options.resume && options.retry_failed) return invalid("resume and retry_failed exclude each other");
  if ((options.resume || options.retry_failed) && options.joblog.empty()) {
    return invalid(std::string(options.resume ? "resume" : "retry_failed") + " needs a journal (joblog)");
  }
  const auto policies = check_policies(options);
  return policies ? check_children(options.children) : policies;
}

// Parallel commands take three descriptors each; the soft limit is often 1024 where much more is allowed.
class RaisedOpenFiles {
 public:
  explicit RaisedOpenFiles(const RunOptions& options) {
    constexpr rlim_t kForEach = 6;
    constexpr rlim_t kBesides = 256;
    if (!options.raise_open_files || ::getrlimit(RLIMIT_NOFILE, &before_) != 0) return;
    rlimit raised = before_;
    raised.rlim_cur = std::max(before_.rlim_cur, std::min(before_.rlim_max, kForEach * options.jobs + kBesides));
    is_raised_ = raised.rlim_cur != before_.rlim_cur && ::setrlimit(RLIMIT_NOFILE, &raised) == 0;
  }
  ~RaisedOpenFiles() {
    if (is_raised_) ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  RaisedOpenFiles(const RaisedOpenFiles&) = delete;
  RaisedOpenFiles& operator=(const RaisedOpenFiles&) = delete;

 private:
  rlimit before_{};
  bool is_raised_ = false;
};

void tell_damage(const RunOptions& options, const engine::JournalContent& content, const RunEvents& events) {
  if (!events.notice) return;
  const std::string name = "the journal '" + options.joblog + "': ";
  if (content.cut_off > 0) {
    events.notice(name + "its last record was not complete (" + std::to_string(content.cut_off) +
                  " bytes) and does not count");
  }
  if (content.damaged > 0) {
    events.notice(name + std::to_string(content.damaged) + " of its lines are damaged and do not count");
  }
}

Status open_journal(const RunOptions& options, const RunEvents& events, RunRecords& records) {
  if (options.joblog.empty()) return Unit{};
  const bool goes_on = options.resume || options.retry_failed;
  if (options.retry_failed && ::access(options.joblog.c_str(), F_OK) != 0) {
    return Error{Errc::not_found, "there is no journal '" + options.joblog + "' that could tell what has failed"};
  }
  engine::JournalContent content;
  auto journal =
      goes_on ? engine::JournalFile::resume(options.joblog, content) : engine::JournalFile::create(options.joblog);
  if (!journal) return journal.error();
  records.journal.emplace(std::move(*journal));
  if (!goes_on) return Unit{};
  tell_damage(options, content, events);
  records.earlier.emplace(std::move(content.index));
  return Unit{};
}

Status open_results(const RunOptions& options, RunRecords& records) {
  if (options.results.empty()) return Unit{};
  auto results = engine::ResultFolders::open(options.results);
  if (!results) return results.error();
  records.results.emplace(std::move(*results));
  return Unit{};
}

// A makefile's line without a '+' names a jobserver that it was not given: to run without is better than not to run.
Status open_jobserver(const RunOptions& options, const RunEvents& events, RunRecords& records,
                      engine::ChildDefaults& children) {
  const char* given = std::getenv("MAKEFLAGS");
  const std::string makeflags = given != nullptr ? given : "";
  if (options.join_jobserver) {
    auto joined = engine::Jobserver::join(makeflags);
    if (!joined && events.notice) events.notice(joined.error().message);
    if (joined && *joined) records.jobserver.emplace(std::move(**joined));
  }
  if (records.jobserver || !options.offer_jobserver) return Unit{};
  auto offered = engine::Jobserver::offer(options.jobs);
  if (!offered) return offered.error();
  records.jobserver.emplace(std::move(*offered));
  engine::set_variable(children.environment, "MAKEFLAGS=" + records.jobserver->makeflags(makeflags));
  return Unit{};
}

// Unlike that of any other run that may still have processes.
std::string name_of_run() { return std::to_string(::gettid()) + "." + std::to_string(engine::utc_now().microseconds); }

// With what the commands of this machine are born with, which a jobserver changes.
Status open_records(const RunOptions& options, const RunEvents& events, RunRecords& records,
                    engine::ChildDefaults& children) {
  records.run = name_of_run();
  auto opened = open_journal(options, events, records);
  if (opened) opened = open_results(options, records);
  if (opened) opened = open_jobserver(options, events, records, children);
  return opened;
}

}  // namespace

Result<RunSummary> run_sweep(const Plan& plan, const RunOptions& options, const RunEvents& events) {
  const auto checked = check(options);
  if (!checked) return checked.error();
  engine::LocalOptions local;
  local.children = engine::ChildDefaults::of_this_process(options.children);  // before the next line changes it
  const RaisedOpenFiles raised(options);
  RunRecords records;
  const auto opened = open_records(options, events, records, local.children);
  if (!opened) return opened.error();

  local.capture = options.capture;
  local.stdout_fd = options.stdout_fd;
  local.stderr_fd = options.stderr_fd;
  local.adopt_orphans = options.adopt_orphans;
  local.run = records.run;
  const auto backend = engine::LocalBackend::make(std::move(local));
  if (!backend) return backend.error();
  if (const auto& error = (*backend)->orphans_error(); error && events.notice) {
    events.notice("what commands leave behind is not looked for: " + error->message);
  }
  return engine::RunLoop(plan, options, events, **backend, records).run();
}

Result<RunSummary> run_sweep(const Plan& plan, const RunOptions& options, const RunEvents& events, Backend& backend) {
  const auto checked = check(options);
  if (!checked) return checked.error();
  RunRecords records;
  engine::ChildDefaults children;
  const auto opened = open_records(options, events, records, children);
  if (!opened) return opened.error();
  return engine::RunLoop(plan, options, events, backend, records).run();
}

}  // namespace v1
}  // namespace hakuriver
