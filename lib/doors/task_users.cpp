#include "doors/task_users.hpp"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "doors/task_environment.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/task.hpp"
#include "platform/identity.hpp"
#include "platform/users.hpp"

namespace hakuriver::doors {
namespace {

Error bad(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> offered_users(const RunnerOptions& options, bool is_local_host, const std::string& me) {
  if (::geteuid() != 0) return {me};
  const std::string standard = options.runner_user.empty() ? me : options.runner_user;
  if (options.allowed_users.empty() && standard == me && is_local_host) return {"*", me};
  std::vector<std::string> offered{standard};
  for (const auto& name : options.allowed_users) {
    if (!has(offered, name)) offered.push_back(name);
  }
  return offered;
}

// By another name, root is root.
bool may_be(const std::vector<std::string>& offered, const platform::User& user) {
  return user.uid != 0 || has(offered, user.name) || has(offered, "root");
}

service::TaskIdentity identity_of(platform::User user) {
  return {
      std::move(user.name), {user.uid, user.gid, std::move(user.groups)}, std::move(user.home), std::move(user.shell)};
}

Status check_names(const RunnerOptions& options) {
  if (options.allowed_users.size() > kMaxOfferedUsers - 2) return bad("allowed_users: more than 998 users");
  for (const auto& name : options.allowed_users) {
    if (name == "*" || is_user_name(name)) continue;
    return bad("allowed_users: '" + name.substr(0, 80) + "' is not a user's name, nor \"*\" for anybody but root");
  }
  return Unit{};
}

}  // namespace

Status check_task_users(const RunnerOptions& options, bool is_local_host) {
  if (auto checked = check_names(options); !checked) return checked;
  const std::string& user = options.runner_user;
  const std::string me = own_user_name();
  const bool is_root = ::geteuid() == 0;
  if (!is_root && !user.empty() && user != me) {
    return bad("runner_user '" + user + "': this runner runs as '" + me + "', and only root can run tasks as others");
  }
  if (is_root && !is_local_host && user.empty()) {
    return bad(
        "runner_user: this runner is root and its host is another machine: name the user that tasks run as "
        "(\"root\" if that is meant), or start the runner as an ordinary user");
  }
  if (user.empty() || user == me) return Unit{};
  const auto found = platform::read_user(user);
  return found ? Status{Unit{}} : bad("runner_user '" + user + "': " + found.error().message);
}

TaskUsers open_task_users(const RunnerOptions& options, bool is_local_host) {
  const std::string me = own_user_name();
  TaskUsers users;
  users.offered = offered_users(options, is_local_host, me);
  if (options.runner_user != me) users.standard = options.runner_user;
  NodeFacts facts;
  facts.users = users.offered;
  users.find = [facts = std::move(facts), me, directory = std::make_shared<platform::UserDirectory>()](
                   const std::string& name) -> Result<std::optional<service::TaskIdentity>> {
    const Error refused{Errc::denied, "this node runs no tasks as user '" + name + "'"};
    if (!offers_user(facts, name)) return refused;
    if (name == me) return std::optional<service::TaskIdentity>();
    auto user = directory->find(name);
    if (!user) return user.error();
    if (!may_be(facts.users, *user)) return refused;
    return std::optional(identity_of(std::move(*user)));
  };
  return users;
}

TaskUser own_task_user() { return {::geteuid(), ::getegid(), platform::own_groups()}; }

bool has_root_tasks(const TaskUsers& users) { return ::geteuid() == 0 && has(users.offered, "root"); }

}  // namespace hakuriver::doors
