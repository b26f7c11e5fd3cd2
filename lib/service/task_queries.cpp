#include "service/task_queries.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "hakuriver/duration.hpp"
#include "hakuriver/host/views.hpp"
#include "service/runner_start.hpp"
#include "service/task_launcher.hpp"

namespace hakuriver::service {

namespace {

const Error kStopping{Errc::unavailable, "the host is stopping"};

// A value that another thread gives, or lets go of.
template <class Value>
class Slot {
 public:
  std::optional<Value> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_over_; });
    return std::move(value_);
  }
  void end(std::optional<Value> value) {
    const std::lock_guard lock(mutex_);
    if (is_over_) return;
    value_ = std::move(value);
    is_over_ = true;
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Value> value_;
  bool is_over_ = false;
};

// Asks the host's owner and waits; none where it stops before it answers. Not from the owner's thread.
template <class Value, class Question>
std::optional<Value> ask_and_wait(HostService& host, Question question) {
  auto slot = std::make_shared<Slot<Value>>();
  // Dies with the question, asked or not.
  std::shared_ptr<void> let_go(nullptr, [slot](void*) { slot->end(std::nullopt); });
  host.ask([slot, let_go = std::move(let_go), question = std::move(question)](const HostState& state, Now now) {
    slot->end(question(state, now));
  });
  return slot->wait();
}

std::string describe_end(const EndRecord& end, const TaskSpec& spec) {
  if (!end.message.empty()) return end.message;
  switch (end.outcome.kind) {
    case OutcomeKind::exited:
      return end.outcome.value == 0 ? "" : "exited with " + std::to_string(end.outcome.value);
    case OutcomeKind::signaled:
      return "ended by signal " + std::to_string(end.outcome.value);
    case OutcomeKind::oom_killed:
      return "ran out of memory";
    case OutcomeKind::never_started:
      return "never started";
    case OutcomeKind::unknown:
      return "its exit status is not known";
    case OutcomeKind::timed_out:
      return "the time limit of " + to_duration_text(spec.time_limit) + " was reached";
  }
  return {};
}

// The code of one that exited, -n where signal n ended it, and what timeout(1) says of one that took too long.
std::optional<int> exit_code_of(const Outcome& outcome) {
  switch (outcome.kind) {
    case OutcomeKind::exited:
      return outcome.value;
    case OutcomeKind::signaled:
    case OutcomeKind::oom_killed:
      return -outcome.value;
    case OutcomeKind::timed_out:
      return shell_status(outcome);
    case OutcomeKind::never_started:
    case OutcomeKind::unknown:
      return std::nullopt;
  }
  return std::nullopt;
}

void add_end(TaskView& view, const EndRecord& end) {
  view.status = end.status;
  view.node = end.node;
  if (!view.target && end.numa_node) view.target = Target{end.node, end.numa_node};
  view.attempt = end.attempt;
  view.outcome = end.outcome;
  view.exit_code = exit_code_of(end.outcome);
  view.started_at = end.started_at;
  view.ended_at = end.ended_at;
  view.usage = end.usage;
  view.stdout_bytes = end.stdout_bytes;
  view.stderr_bytes = end.stderr_bytes;
  view.message = describe_end(end, *view.spec);
}

TaskView make_view(const LiveFacts& facts, StoredTask stored, const std::string& shared_dir) {
  TaskView view;
  view.id = stored.id;
  view.batch = stored.batch;
  view.spec = spec_of_task(stored.spec, stored.index);
  view.target = std::move(stored.target);
  view.submitted_at = stored.submitted_at;
  view.status = facts.status;
  view.node = facts.node;
  view.attempt = facts.attempt;
  view.kill_requested = facts.kill_requested;
  view.started_at = facts.started_at;
  view.message = facts.message;
  set_launcher(view, facts.launcher, facts.enforced);
  if (!view.target && facts.numa_node) view.target = Target{facts.node, facts.numa_node};
  if (stored.end) add_end(view, *stored.end);
  view.stdout_path = stdout_path_of(shared_dir, {view.id, view.attempt});
  view.stderr_path = stderr_path_of(shared_dir, {view.id, view.attempt});
  return view;
}

// Some tasks that may belong on the page, and where to go on.
struct Candidates {
  std::vector<LiveFacts> tasks;
  std::optional<TaskId> next;
};

struct Search {
  TaskFilter filter;
  std::optional<std::vector<BatchId>> batches{};  // only these, newest first; none: all
  bool has_older = false;                         // there may be more of them
};

// About what the task takes in an answer, escapes aside.
std::size_t bytes_of(const TaskSpec& spec) {
  std::size_t bytes = 1000 + spec.name.size() + spec.working_directory.size();
  for (const auto& word : spec.argv) bytes += word.size() + 3;
  for (const auto& [name, value] : spec.environment) bytes += name.size() + value.size() + 6;
  for (const auto& mount : spec.mounts) bytes += mount.size() + 3;
  return bytes;
}

bool may_match(const TaskFilter& filter, const LiveFacts& facts) {
  const bool node = filter.node.empty() || facts.node == filter.node || is_final(facts.status);
  return node && (!filter.status || facts.status == *filter.status);
}

// Looks at no more than so many tasks in one turn of the host.
Candidates find_candidates(const HostState& state, MonotonicTime now, const Search& search, TaskId before,
                           std::size_t most) {
  constexpr std::uint64_t kMostLooked = 20'000;
  Candidates found;
  std::uint64_t looked = 0;
  for (auto at = state.batches.lower_bound(BatchId{before.value}); at != state.batches.begin();) {
    --at;
    const Batch& batch = *at;
    if (search.filter.batch && batch.id != *search.filter.batch) {
      if (batch.id < *search.filter.batch) break;
      continue;
    }
    if (search.batches && !std::binary_search(search.batches->rbegin(), search.batches->rend(), batch.id)) continue;
    const std::uint64_t end = std::min(batch.count, before.value - batch.id.value - 1);
    for (std::uint64_t i = end; i-- > 0;) {
      const TaskId id = task_of(batch.id, i);
      if (++looked > kMostLooked || found.tasks.size() == most) {
        found.next = advance(id, 1);
        return found;
      }
      if (search.filter.status && status_of(batch, id) != *search.filter.status) continue;
      auto facts = facts_of(state, id, now);
      if (facts && may_match(search.filter, *facts)) found.tasks.push_back(std::move(*facts));
    }
  }
  return found;
}

}  // namespace

struct TaskQueries::Impl {
  Impl(HostService& the_host, std::unique_ptr<TaskReader> the_reader, std::string dir)
      : host(the_host), reader(std::move(the_reader)), shared_dir(std::move(dir)), thread([this] { run(); }) {}

  HostService& host;
  const std::unique_ptr<TaskReader> reader;  // used by the thread
  const std::string shared_dir;

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> jobs;  // guarded by mutex
  bool stopping = false;                   // guarded by mutex
  std::thread thread;

  void run();
  void put(std::function<void()> job);
  Result<TaskView> task(TaskId id);
  std::string batch_hint(TaskId id);
  Result<BatchView> batch(BatchId id);
  Result<TaskPage> list(const TaskFilter& filter);
  Result<TaskPage> find_tasks(const TaskFilter& filter);
  Result<Search> plan_search(const TaskFilter& filter);
  Status check_names(const TaskFilter& filter);
  void add_limits(std::vector<TaskView>& views);
};

void TaskQueries::Impl::run() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    if (jobs.empty()) {
      wake.wait(lock);
      continue;
    }
    const std::function<void()> job = std::move(jobs.front());
    jobs.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

void TaskQueries::Impl::put(std::function<void()> job) {
  const std::lock_guard lock(mutex);
  if (stopping) return;
  jobs.push_back(std::move(job));
  wake.notify_one();
}

// Ids of batches and of tasks are easily mixed up.
std::string TaskQueries::Impl::batch_hint(TaskId id) {
  const auto count = ask_and_wait<std::uint64_t>(host, [id](const HostState& state, Now) {
    const auto found = state.batches.find(BatchId{id.value});
    return found == state.batches.end() ? std::uint64_t{0} : found->count;
  });
  if (count.value_or(0) == 0) return {};
  const TaskId first = task_of(BatchId{id.value}, 0);
  const std::string last = *count == 1 ? "" : " to " + to_string(task_of(BatchId{id.value}, *count - 1));
  return ": it is a batch, of " + std::string(*count == 1 ? "task " : "tasks ") + to_string(first) + last;
}

// The host is asked first: what it calls final is in the store by then.
Result<TaskView> TaskQueries::Impl::task(TaskId id) {
  auto facts = ask_and_wait<std::optional<LiveFacts>>(
      host, [id](const HostState& state, Now now) { return facts_of(state, id, now.monotonic); });
  if (!facts) return kStopping;
  if (!*facts) return Error{Errc::not_found, "there is no task " + to_string(id) + batch_hint(id)};
  auto stored = reader->task(id);
  if (!stored) return stored.error();
  std::vector<TaskView> views{make_view(**facts, std::move(*stored), shared_dir)};
  add_limits(views);
  return std::move(views[0]);
}

// What each task's node enforces: of finished tasks the host remembers only the node's name.
void TaskQueries::Impl::add_limits(std::vector<TaskView>& views) {
  using Facts = std::map<std::string, std::pair<std::string, std::vector<std::string>>>;
  Facts wanted;
  for (const auto& view : views) {
    if (!view.node.empty()) wanted[view.node];
  }
  if (wanted.empty()) return;
  const auto known = ask_and_wait<Facts>(host, [wanted](const HostState& state, Now) {
    Facts facts = wanted;
    for (const auto& node : state.nodes) {
      const auto found = facts.find(node.name);
      if (found != facts.end()) found->second = {node.facts.launcher, node.facts.enforced};
    }
    return facts;
  });
  if (!known) return;
  for (auto& view : views) {
    const auto found = known->find(view.node);
    if (found != known->end()) set_launcher(view, found->second.first, found->second.second);
  }
}

Result<BatchView> TaskQueries::Impl::batch(BatchId id) {
  auto view = ask_and_wait<std::optional<BatchView>>(host, [id](const HostState& state, Now) {
    const auto found = state.batches.find(id);
    return found == state.batches.end() ? std::nullopt : std::optional(view_of(*found));
  });
  if (!view) return kStopping;
  if (!*view) return Error{Errc::not_found, "there is no batch " + to_string(id)};
  const auto spec = reader->spec(id);
  if (!spec) return spec.error();
  (*view)->name = (*spec)->name;
  return std::move(**view);
}

Result<Search> TaskQueries::Impl::plan_search(const TaskFilter& filter) {
  Search search{.filter = filter};
  if (filter.name.empty()) return search;
  constexpr std::uint32_t kMostBatches = 10'000;
  BatchFilter by_name{filter.name, BatchId{filter.before ? filter.before->value : 0}, kMostBatches};
  const auto batches = reader->batches(by_name);
  if (!batches) return batches.error();
  search.batches.emplace();
  for (const auto& batch : *batches) search.batches->push_back(batch.id);
  search.has_older = batches->size() == kMostBatches;
  return search;
}

// An empty page of a node or batch that is not there would say that it has no tasks.
Status TaskQueries::Impl::check_names(const TaskFilter& filter) {
  const auto known = ask_and_wait<Status>(host, [&filter](const HostState& state, Now) -> Status {
    const auto is_it = [&filter](const NodeState& node) { return node.name == filter.node; };
    if (!filter.node.empty() && std::none_of(state.nodes.begin(), state.nodes.end(), is_it)) {
      return Error{Errc::not_found, "there is no node '" + filter.node.substr(0, 63) + "'"};
    }
    if (filter.batch && state.batches.find(*filter.batch) == state.batches.end()) {
      return Error{Errc::not_found, "there is no batch " + to_string(*filter.batch)};
    }
    return Unit{};
  });
  return known ? *known : kStopping;
}

Result<TaskPage> TaskQueries::Impl::list(const TaskFilter& filter) {
  auto page = find_tasks(filter);
  // Tasks of a node that is forgotten by now may still be there, and show that there was one.
  if (!page || !page->tasks.empty() || page->next) return page;
  if (const auto known = check_names(filter); !known) return known.error();
  return page;
}

Result<TaskPage> TaskQueries::Impl::find_tasks(const TaskFilter& filter) {
  constexpr int kMostAsked = 20;
  constexpr std::size_t kAtOnce = 512;
  constexpr std::size_t kMostBytes = std::size_t{8} << 20;  // a command may be a megabyte
  const auto search = plan_search(filter);
  if (!search) return search.error();
  TaskPage page;
  std::size_t bytes = 0;
  page.next = filter.before.value_or(TaskId{(std::uint64_t{1} << 63) - 1});
  for (int asked = 0; asked < kMostAsked && page.next; ++asked) {
    const TaskId before = *page.next;
    auto found = ask_and_wait<Candidates>(host, [&search, before](const HostState& state, Now now) {
      return find_candidates(state, now.monotonic, *search, before, kAtOnce);
    });
    if (!found) return kStopping;
    for (const auto& facts : found->tasks) {
      if (page.tasks.size() == filter.limit || bytes > kMostBytes) {
        page.next = advance(facts.id, 1);
        add_limits(page.tasks);
        return page;
      }
      auto stored = reader->task(facts.id);
      if (!stored) continue;
      TaskView view = make_view(facts, std::move(*stored), shared_dir);
      if (!filter.node.empty() && view.node != filter.node) continue;
      bytes += bytes_of(*view.spec);
      page.tasks.push_back(std::move(view));
    }
    page.next = found->next;
  }
  if (!page.next && search->has_older) page.next = TaskId{search->batches->back().value};
  add_limits(page.tasks);
  return page;
}

TaskQueries::TaskQueries(HostService& host, std::unique_ptr<TaskReader> reader, std::string shared_dir)
    : impl_(std::make_unique<Impl>(host, std::move(reader), std::move(shared_dir))) {}

TaskQueries::~TaskQueries() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    impl_->jobs.clear();
  }
  impl_->wake.notify_one();
  impl_->thread.join();
}

void TaskQueries::view_task(TaskId id, std::function<void(Result<TaskView>)> answer) {
  impl_->put([impl = impl_.get(), id, answer = std::move(answer)] { answer(impl->task(id)); });
}

void TaskQueries::view_batch(BatchId id, std::function<void(Result<BatchView>)> answer) {
  impl_->put([impl = impl_.get(), id, answer = std::move(answer)] { answer(impl->batch(id)); });
}

void TaskQueries::read(std::function<void(TaskReader&)> job) {
  impl_->put([impl = impl_.get(), job = std::move(job)] { job(*impl->reader); });
}

void TaskQueries::list_tasks(TaskFilter filter, std::function<void(Result<TaskPage>)> answer) {
  impl_->put(
      [impl = impl_.get(), filter = std::move(filter), answer = std::move(answer)] { answer(impl->list(filter)); });
}

}  // namespace hakuriver::service
