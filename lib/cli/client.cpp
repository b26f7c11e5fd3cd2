#include "cli/client.hpp"

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "cli/client_commands.hpp"
#include "cli/client_follow.hpp"
#include "cli/client_options.hpp"
#include "cli/client_output.hpp"
#include "cli/client_session.hpp"
#include "cli/client_show.hpp"
#include "cli/client_submit.hpp"
#include "cli/client_wait.hpp"
#include "cli/exit_status.hpp"
#include "hakuriver/version.hpp"

namespace hakuriver::cli {
namespace {

int perform(ClientSession& session) {
  switch (session.options().action) {
    case ClientAction::submit:
      return submit(session);
    case ClientAction::show_status:
      return show_status(session);
    case ClientAction::show_stdout:
    case ClientAction::show_stderr:
      return show_output(session);
    case ClientAction::kill:
      return command_tasks(session, "kill");
    case ClientAction::kill_pending:
      return command_tasks(session, "kill-pending");
    case ClientAction::pause:
      return command_tasks(session, "pause");
    case ClientAction::resume:
      return command_tasks(session, "resume");
    case ClientAction::wait_for:
      return wait_for_ids(session);
    case ClientAction::list_tasks:
      return list_tasks(session);
    case ClientAction::list_nodes:
      return list_nodes(session);
    case ClientAction::show_health:
      return show_health(session);
    case ClientAction::drain:
      return command_node(session, "drain");
    case ClientAction::undrain:
      return command_node(session, "undrain");
    case ClientAction::forget_node:
      return command_node(session, "forget");
    case ClientAction::submit_sweep:
      return submit_sweep(session);
    case ClientAction::follow_batch:
      return follow_batch(session);
    case ClientAction::show_help:
    case ClientAction::show_version:
      return kExitGood;
  }
  return kExitFailed;
}

int complain(Streams streams, const Error& error) {
  streams.err << "hakuriver.client: " << printable(error.message) << std::endl;
  return exit_of(error.code);
}

int print(Streams streams, std::string_view text) {
  streams.out << text << std::flush;
  return streams.out.good() ? kExitGood : kExitFailed;
}

}  // namespace

int client_program(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams) {
  auto options = parse_client_options(words);
  if (!options) return complain(streams, options.error());
  if (options->action == ClientAction::show_help) return print(streams, client_help());
  if (options->action == ClientAction::show_version) return print(streams, "hakuriver.client " HAKURIVER_VERSION "\n");
  auto session = ClientSession::open(std::move(*options), environment, streams);
  if (!session) return complain(streams, session.error());
  return perform(*session);
}

}  // namespace hakuriver::cli
