#include "cli/hakurun_option_table.hpp"

#include <utility>

#include "cli/hakurun_jobs.hpp"
#include "hakuriver/docker_run.hpp"
#include "hakuriver/resources.hpp"
#include "hakuriver/target.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver::cli {
namespace {

using Options = HakurunOptions;

// Puts a value that was read where it belongs.
template <class Value, class Target>
Status assign(Result<Value> value, Target& target) {
  if (!value) return value.error();
  target = std::move(*value);
  return Unit{};
}

Status set_from(Options& it, std::string_view text) {
  return assign(parse_whole_number(text, 1), it.run.selection.from);
}
Status set_limit(Options& it, std::string_view text) {
  return assign(parse_whole_number(text, 1), it.run.selection.limit);
}
Status set_sample(Options& it, std::string_view text) {
  return assign(parse_whole_number(text, 1), it.run.selection.sample);
}
Status set_seed(Options& it, std::string_view text) { return assign(parse_whole_number(text, 0), it.seed); }
Status set_jobs(Options& it, std::string_view text) { return assign(parse_job_count(text), it.jobs); }
Status set_halt(Options& it, std::string_view text) { return assign(parse_halt(text), it.run.halt); }
Status set_timeout(Options& it, std::string_view text) { return assign(parse_time_limit(text), it.run.time_limit); }
Status set_backoff(Options& it, std::string_view text) { return assign(parse_time(text), it.run.backoff); }
Status set_delay(Options& it, std::string_view text) { return assign(parse_time(text), it.run.delay); }
Status set_nice(Options& it, std::string_view text) { return assign(parse_nice(text), it.run.children.nice); }
Status set_gpus(Options& it, std::string_view text) {
  return assign(parse_gpus(text), it.run.children.slot_environment);
}
Status set_load(Options& it, std::string_view text) {
  return assign(parse_load(text, count_usable_cpus()), it.run.max_load);
}
Status set_memfree(Options& it, std::string_view text) {
  return assign(parse_memory(text), it.run.min_free_memory_bytes);
}

Status set_retries(Options& it, std::string_view text) {
  constexpr std::uint64_t kMost = 1'000'000;
  const auto retries = parse_whole_number(text, 0, kMost);
  if (!retries) return retries.error();
  it.run.retries = static_cast<std::uint32_t>(*retries);
  return Unit{};
}

Status set_env(Options& it, std::string_view text) {
  auto variable = parse_variable(text);
  if (!variable) return variable.error();
  it.run.children.environment.push_back(std::move(*variable));
  return Unit{};
}

Status set_path(std::string& target, std::string_view text) {
  if (text.empty()) return Error{Errc::invalid_argument, "expected a path, which is not empty"};
  target = text;
  return Unit{};
}
Status set_cwd(Options& it, std::string_view text) { return set_path(it.run.children.working_directory, text); }
Status set_joblog(Options& it, std::string_view text) { return set_path(it.run.joblog, text); }
Status set_results(Options& it, std::string_view text) { return set_path(it.run.results, text); }

Status set_to(Options& it, std::string_view text) {
  if (text != "here" && text != "cluster") {
    return Error{Errc::invalid_argument, "'" + std::string(text.substr(0, 64)) + "': expected here or cluster"};
  }
  it.to_cluster = text == "cluster";
  return Unit{};
}
// The host reads these again; here a slip is named by its option.
Status set_target(Options& it, std::string_view text) {
  if (auto target = parse_target(text); !target) return target.error();
  it.cluster.targets.emplace_back(text);
  return Unit{};
}
Status set_cores(Options& it, std::string_view text) {
  if (auto millicores = parse_cores(text); !millicores) return millicores.error();
  it.cluster.cores = text;
  return Unit{};
}
Status set_memory(Options& it, std::string_view text) {
  if (auto bytes = parse_memory(text); !bytes) return bytes.error();
  it.cluster.memory = text;
  return Unit{};
}
Status set_container(Options& it, std::string_view text) {
  if (text.empty()) return Error{Errc::invalid_argument, "expected a name, or NULL for the node itself"};
  it.cluster.container = text;
  return Unit{};
}
Status set_mount(Options& it, std::string_view text) {
  if (auto mount = parse_mount(text); !mount) return mount.error();
  it.cluster.mounts.emplace_back(text);
  return Unit{};
}
Status set_user(Options& it, std::string_view text) {
  if (!is_user_name(text)) {
    return Error{Errc::invalid_argument, "'" + std::string(text.substr(0, 80)) + "' is not a user's name"};
  }
  it.cluster.user = text;
  return Unit{};
}
Status set_host(Options& it, std::string_view text) { return set_path(it.cluster.host, text); }
Status set_name(Options& it, std::string_view text) { return set_path(it.cluster.name, text); }

// Flags that live in RunOptions, or have three states.
Status set_resume(Options& it, std::string_view text) { return assign(parse_flag(text), it.run.resume); }
Status set_retry_failed(Options& it, std::string_view text) { return assign(parse_flag(text), it.run.retry_failed); }
Status set_shuffle(Options& it, std::string_view text) { return assign(parse_flag(text), it.run.selection.shuffle); }
Status set_progress(Options& it, std::string_view text) { return assign(parse_flag(text), it.progress); }
Status set_privileged(Options& it, std::string_view text) { return assign(parse_flag(text), it.cluster.privileged); }
Status set_private_network(Options& it, std::string_view text) {
  return assign(parse_flag(text), it.cluster.private_network);
}
Status set_private_pid(Options& it, std::string_view text) { return assign(parse_flag(text), it.cluster.private_pid); }

constexpr HakurunOption kLook[] = {
    {'n', "dry-run", "", "", &Options::dry_run, nullptr, "print the commands, one per line and quoted for a shell"},
    {0, "count", "", "", &Options::count, nullptr, "print how many there are"},
    {0, "expand", "", "", &Options::expand, nullptr, "print the combinations, such as lr=0.1 batch=32"},
};

constexpr HakurunOption kWhich[] = {
    {0, "zip", "", "", &Options::zip, nullptr, "pair spans of equal length instead of multiplying them"},
    {0, "shuffle", "", "", nullptr, &set_shuffle, "in random order"},
    {0, "sample", "", "N", nullptr, &set_sample, "N of them, chosen at random, none twice"},
    {0, "seed", "", "S", nullptr, &set_seed,
     "of --shuffle and --sample: the same order on every machine; without it one is chosen, and said"},
    {0, "from", "", "N", nullptr, &set_from, "begin with the N-th, from 1, of the order that results"},
    {0, "limit", "", "N", nullptr, &set_limit, "at most N of them"},
    {'y', "yes", "", "", &Options::yes, nullptr, "do not ask before more than a million commands are started"},
};

constexpr HakurunOption kAtOnce[] = {
    {'j', "jobs", "", "N", nullptr, &set_jobs, "N at once, 1 to 10000; 50%: half the CPUs; +2: two more than CPUs"},
    {0, "parallel", "", "", &Options::parallel, nullptr,
     "all at once, but never more than 1000 (or half the limit on your processes)"},
    {0, "delay", "", "TIME", nullptr, &set_delay, "at least so long between two starts: 0.5s"},
    {0, "load", "", "L", nullptr, &set_load, "start nothing while the load average is above L; 80%: of the CPUs"},
    {0, "memfree", "", "SIZE", nullptr, &set_memfree, "start nothing while less memory is available: 4G"},
    {0, "gpus", "", "LIST", nullptr, &set_gpus,
     "0,1,2: each slot has its own CUDA_VISIBLE_DEVICES; without -j, as many at once as there are in the list"},
    {0, "jobserver", "", "", &Options::jobserver, nullptr,
     "let commands that know make's jobserver (make, cargo, ninja, gcc) share the jobs of -j; a make above is always "
     "respected"},
};

constexpr HakurunOption kPolicy[] = {
    {0, "timeout", "", "TIME", nullptr, &set_timeout,
     "end a command after 30s, 5m, 2h; 200%: twice the median so far (not with --to cluster)"},
    {0, "retries", "", "N", nullptr, &set_retries, "try a failed command up to N more times"},
    {0, "backoff", "", "TIME", nullptr, &set_backoff,
     "wait so long before the first retry, twice as long before each more"},
    {0, "halt", "", "WHEN", nullptr, &set_halt,
     "after failures: never (the default), soon (start nothing more), now (end what runs, too); "
     "soon,fail=3 or now,fail=10%: after so many"},
};

constexpr HakurunOption kWorld[] = {
    {0, "env", "", "K=V", nullptr, &set_env, "a variable for the commands, such as OUT=run-{lr}; may be given again"},
    {0, "cwd", "", "DIR", nullptr, &set_cwd, "run the commands there; DIR may be such as out/{#}"},
    {0, "nice", "", "N", nullptr, &set_nice, "add N to their niceness"},
    {0, "stdin", "", "", &Options::first_reads_stdin, nullptr,
     "the first command reads hakurun's stdin; the others nothing"},
    {0, "shell", "", "", &Options::shell, nullptr,
     "COMMAND is text for sh -c: its words are joined by blanks, and the values of spans are quoted where they need "
     "it"},
    {0, "slot", "", "", &Options::slot_variables, nullptr, "HAKURUN_SLOT and its like in the environment (always on)",
     false},
};

constexpr HakurunOption kOutput[] = {
    {'k', "keep-order", "", "", &Options::keep_order, nullptr,
     "in the order of the combinations; at most 65536 run ahead of the first that has not ended"},
    {0, "tag", "", "", &Options::tag, nullptr, "each line behind the combination's name and a tab"},
    {0, "line-buffer", "lb", "", &Options::line_buffer, nullptr, "whole lines as they come, of all commands mixed"},
    {'u', "ungroup", "", "", &Options::ungroup, nullptr, "everything as it comes, straight from the commands"},
    {0, "progress", "", "", nullptr, &set_progress, "a status line; on a terminal by default (--no-progress)"},
};

constexpr HakurunOption kRecords[] = {
    {0, "joblog", "", "FILE", nullptr, &set_joblog, "a line for each command that ended, tab-separated"},
    {0, "results", "", "DIR", nullptr, &set_results,
     "a folder for each combination: stdout, stderr, params.json, outcome.json"},
    {0, "resume", "", "", nullptr, &set_resume, "leave out what has succeeded by the joblog"},
    {0, "retry-failed", "", "", nullptr, &set_retry_failed, "run only what has failed by the joblog"},
};

constexpr HakurunOption kWhere[] = {
    {0, "to", "", "WHERE", nullptr, &set_to,
     "cluster: one request to the host, which places the commands; the rest is the same", false},
    {0, "target", "", "NODE", nullptr, &set_target,
     "with --to cluster: on NODE or NODE:NUMA only; given again: on whichever of them has room", false},
    {0, "cores", "", "N", nullptr, &set_cores, "with --to cluster: what each command needs (1)", false},
    {0, "memory", "", "SIZE", nullptr, &set_memory, "with --to cluster: the most each may use, such as 8G", false},
    {0, "container", "", "NAME", nullptr, &set_container,
     "with --to cluster: in this container; NULL: on the node itself", false},
    {0, "mount", "", "H:C", nullptr, &set_mount,
     "with --to cluster: the node's directory H is C in the container; H:C:ro only to read; may be given again", false},
    {0, "privileged", "", "", nullptr, &set_privileged, "with --to cluster: in privileged containers", false},
    {0, "private-network", "", "", nullptr, &set_private_network, "with --to cluster: each without any network", false},
    {0, "private-pid", "", "", nullptr, &set_private_pid, "with --to cluster: each sees no processes but its own",
     false},
    {0, "user", "", "NAME", nullptr, &set_user, "with --to cluster: as this user of the node", false},
    {0, "host", "", "URL", nullptr, &set_host, "with --to cluster: instead of the usual host", false},
    {0, "name", "", "TEXT", nullptr, &set_name, "with --to cluster: a name to find the tasks by", false},
};

constexpr HakurunOption kOther[] = {
    {'h', "help", "", "", &Options::help, nullptr, "print this", false, false},
    {0, "version", "", "", &Options::version, nullptr, "print the version", false, false},
};

constexpr HakurunOptionGroup kGroups[] = {
    {"Look without running anything", kLook},
    {"Which combinations", kWhich},
    {"How many at once", kAtOnce},
    {"When commands fail or hang", kPolicy},
    {"What the commands find", kWorld},
    {"Output", kOutput},
    {"Records", kRecords},
    {"Where", kWhere},
    {"Other", kOther},
};

}  // namespace

std::span<const HakurunOptionGroup> hakurun_option_groups() noexcept { return kGroups; }

}  // namespace hakuriver::cli
