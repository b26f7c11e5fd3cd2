#include "cli/client_table.hpp"

#include <array>
#include <string>

namespace hakuriver::cli {
namespace {

constexpr std::string_view kExamples = R"(Examples:
  hakuriver.client --target node1 -- echo "Hello, HakuRiver!"   prints the id
  hakuriver.client --wait --cores 4 --memory 8G -- python3 train.py
  hakuriver.client --time 2h --nice 10 -- ./simulate   ended after two hours
  hakuriver.client --user alice -- id -un              where the node offers her
  hakuriver.client --target node1:0 --target node2 -- ./shard   a task on each
  hakuriver.client --env LR=0.1 --name sweep-1 -- sh -c 'echo $LR'
  hakuriver.client --status ID            how a task (or batch) is doing
  hakuriver.client --stdout ID --follow   what it prints
  hakuriver.client --kill ID
  hakuriver.client --list-tasks --state running
  hakuriver.client --list-nodes
  hakurun hakuriver.client -- python3 train.py 'span:{1..10}'   ten tasks

Usage:
  hakuriver.client [OPTION]... [--] COMMAND [ARGUMENT]...
  hakuriver.client --status ID | --stdout ID | --kill ID | --list-tasks | ...

Everything from the first word that is no option on, or after "--", is the
command: it reaches the task word for word, and no shell reads it. It starts in
the cluster's shared directory with an empty standard input.
)";

constexpr std::string_view kAfterOptions = R"(
Sizes: 8G is 8 * 1024^3 bytes, 8GB is 8 * 1000^3. The host is --host, else
$HAKURIVER_HOST, else what the configuration says ($HAKURIVER_HOME/config.toml
or ~/.hakuriver/config.toml; hakuriver.init writes one).

Ids and data are on stdout, everything else on stderr. Exit status: 0 done, 1 a
task failed or was refused, 2 wrong usage, 3 not found, 4 not allowed, 5 host
unreachable, 130 interrupted. With --wait on one task it is the task's own
(128 + n where signal n ended it, 124 at its time limit); Ctrl-C stops the
waiting, not the task.
)";

constexpr std::string_view kSubmit = "To submit a command";
constexpr std::string_view kTask = "Tasks and batches (ID is either's)";
constexpr std::string_view kList = "With --list-tasks";
constexpr std::string_view kNode = "Nodes";
constexpr std::string_view kGeneral = "Always";

constexpr std::uint8_t kWithSubmit = mask_of(ClientUse::submit);
constexpr std::uint8_t kWithOutput = mask_of(ClientUse::output);
constexpr std::uint8_t kWithTasks = mask_of(ClientUse::tasks);
constexpr std::uint8_t kWithBatch = mask_of(ClientUse::batch);
constexpr std::uint8_t kWithAll = 0xFF;

constexpr ClientOption with(std::uint8_t uses, Option option) {
  return {option, uses, std::nullopt, ClientUse::submit};
}
constexpr ClientOption asks(ClientAction action, ClientUse use, Option option) { return {option, 0, action, use}; }

using enum ClientAction;

constexpr std::array kTable{
    with(kWithSubmit, {"target", 't', "NODE[:NUMA]",
                       "where it runs; again: one more task there. Without it the host "
                       "chooses",
                       kSubmit}),
    with(kWithSubmit, {"cores", 'c', "N", "logical CPUs, such as 4 or 0.5 (1); 0 is unmetered", kSubmit}),
    with(kWithSubmit, {"memory", 'm', "SIZE", "the most it may use, such as 512M or 8G (no limit)", kSubmit}),
    with(kWithSubmit, {"time", 0, "TIME", "end it, as failed, after 90s, 30m, 2h (no limit)", kSubmit}),
    with(kWithSubmit, {"user", 0, "NAME", "whom it runs as, where the node offers that", kSubmit}),
    with(kWithSubmit, {"nice", 0, "N", "0 to 19: how willingly it leaves the CPU to others (0)", kSubmit}),
    with(kWithSubmit, {"env", 'e', "NAME=VALUE", "a variable of its environment; may be repeated", kSubmit}),
    with(kWithSubmit | kWithTasks, {"name", 0, "TEXT", "a name to find it by; with --list-tasks: only those", kSubmit}),
    with(kWithSubmit, {"cwd", 0, "DIR", "where it starts, an absolute path; else the shared directory", kSubmit}),
    with(kWithSubmit, {"wait", 'w', "", "wait for the end, and exit as the task did", kSubmit}),
    with(kWithSubmit, {"poll-interval", 0, "SEC", "accepted for old scripts; waiting does not poll", kSubmit}),
    with(kWithSubmit, {"container", 0, "NAME", "run it in this container; NULL: on the node itself", kSubmit}),
    with(kWithSubmit, {"privileged", 0, "", "give the container all rights", kSubmit}),
    with(kWithSubmit,
         {"mount", 0, "DIR:DIR[:ro]", "show a directory of the node in the container; may be repeated", kSubmit}),
    with(kWithSubmit, {"private-network", 0, "", "without the node's network", kSubmit}),
    with(kWithSubmit, {"private-pid", 0, "", "without a view of the node's other processes", kSubmit}),

    asks(submit_sweep, ClientUse::batch,
         {"sweep", 0, "FILE", "submit a sweep, written as JSON (-: from standard input); prints the batch's id",
          kSubmit}),
    with(kWithBatch, {"with-outputs", 0, "", "with --follow or --follow-batch: what each task wrote, too", kSubmit}),

    asks(show_status, ClientUse::status, {"status", 0, "ID", "state, node, command, times, exit code", kTask}),
    asks(show_stdout, ClientUse::output, {"stdout", 0, "ID", "what the task wrote, byte for byte", kTask}),
    asks(show_stderr, ClientUse::output, {"stderr", 0, "ID", "its standard error, on our stdout", kTask}),
    with(kWithOutput | kWithBatch,
         {"follow", 'f', "", "go on until the task ends; with --sweep: one line for each end", kTask}),
    with(kWithOutput, {"tail", 0, "N", "only the last N lines", kTask}),
    asks(wait_for, ClientUse::commands, {"wait-for", 0, "ID", "wait as --wait does; may be repeated", kTask}),
    asks(follow_batch, ClientUse::batch,
         {"follow-batch", 0, "ID", "one line for each end in a batch, for programs", kTask}),
    asks(ClientAction::kill, ClientUse::commands,
         {"kill", 0, "ID", "end it with all its processes; may be repeated", kTask}),
    asks(kill_pending, ClientUse::commands,
         {"kill-pending", 0, "ID", "the same, as far as it has not started: of a batch, what waits", kTask}),
    asks(ClientAction::pause, ClientUse::commands,
         {"pause", 0, "ID", "stop it where it is; it keeps what it has", kTask}),
    asks(resume, ClientUse::commands, {"resume", 0, "ID", "let it go on", kTask}),
    asks(ClientAction::list_tasks, ClientUse::tasks, {"list-tasks", 'l', "", "the newest tasks first", kTask}),

    with(kWithTasks, {"state", 0, "STATE", "pending, running, completed, failed, killed, lost, ...", kList}),
    with(kWithTasks, {"node", 0, "NODE", "those of one node", kList}),
    with(kWithTasks, {"batch", 0, "ID", "those of one submission", kList}),
    with(kWithTasks, {"limit", 0, "N", "at most so many, up to 1000 (100)", kList}),
    with(kWithTasks, {"before", 0, "ID", "those submitted before this one: the next page", kList}),

    asks(list_nodes, ClientUse::all_nodes, {"list-nodes", 'n', "", "state, cores, memory and NUMA nodes", kNode}),
    asks(show_health, ClientUse::nodes, {"health", 0, "NODE", "load, memory, temperature, NUMA topology", kNode, true}),
    asks(drain, ClientUse::nodes, {"drain", 0, "NODE", "start nothing more there", kNode}),
    asks(undrain, ClientUse::nodes, {"undrain", 0, "NODE", "start tasks there again", kNode}),
    asks(forget_node, ClientUse::nodes,
         {"forget-node", 0, "NODE", "it will not come back: its tasks count as failed", kNode}),

    with(kWithAll, {"config", 0, "FILE", "this configuration instead of the usual one", kGeneral}),
    with(kWithAll, {"host", 0, "URL", "the host, such as http://10.0.0.1:8000", kGeneral}),
    with(kWithAll, {"output", 'o', "table|json", "for people, or for programs", kGeneral}),
    with(kWithAll, {"quiet", 'q', "", "say only what went wrong", kGeneral}),
    with(kWithAll, {"help", 'h', "", "print this", kGeneral}),
    with(kWithAll, {"version", 'V', "", "print the version", kGeneral}),
};

constexpr std::array<Option, kTable.size()> plain_table() {
  std::array<Option, kTable.size()> options{};
  for (std::size_t i = 0; i < kTable.size(); ++i) options[i] = kTable[i].option;
  return options;
}
constexpr auto kPlain = plain_table();

}  // namespace

std::span<const ClientOption> client_options() { return kTable; }
std::span<const Option> plain_options() { return kPlain; }

const ClientOption* find_client_option(std::string_view name) {
  for (const auto& option : kTable) {
    if (option.option.name == name) return &option;
  }
  return nullptr;
}

std::string client_help() {
  return std::string(kExamples) + describe_options(plain_options()) + std::string(kAfterOptions);
}

}  // namespace hakuriver::cli
