#include "service/runner_start.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "hakuriver/numactl.hpp"

namespace hakuriver::service {
namespace {

constexpr std::string_view kOutputs = "/task_outputs";
constexpr std::string_view kErrors = "/task_errors";

constexpr std::array<std::string_view, 8> kOwnVariables{
    "HAKURIVER_TASK_ID", "HAKURIVER_TASK_ATTEMPT", "HAKURIVER_BATCH_ID",         "HAKURIVER_SHARED_DIR",
    "HAKURIVER_HOST",    "HAKURIVER_NODE",         "HAKURIVER_TARGET_NUMA_NODE", "HAKURIVER_LOCAL_TEMP_DIR"};

std::string output_path(const std::string& shared_dir, std::string_view directory, AttemptKey key,
                        std::string_view suffix) {
  std::string path = shared_dir;
  path.append(directory).append("/").append(to_string(key.task));
  if (key.attempt.value > 1) path.append(".").append(std::to_string(key.attempt.value));
  return path.append(suffix);
}

// The mode is set apart from the creation, for our own umask may be anything, and others are to read what is inside.
Status create_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) {
    if (::chmod(path.c_str(), 0755) == 0) return Unit{};
  } else if (errno == EEXIST) {
    return Unit{};
  }
  return Error{Errc::io, "cannot create '" + path + "': " + std::generic_category().message(errno)};
}

void set(Variables& variables, const std::string& name, const std::string& value) {
  const auto known = std::find_if(variables.begin(), variables.end(),
                                  [&name](const auto& variable) { return variable.first == name; });
  if (known != variables.end()) {
    known->second = value;
  } else {
    variables.emplace_back(name, value);
  }
}

std::string_view value_of(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string_view entry : environment) {
    if (entry.size() > name.size() && entry.substr(0, name.size()) == name && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
  }
  return {};
}

// Whether the kernel would start the command. What numactl is given must be: it answers 1 where we owe 127 or 126.
bool can_execute(const StartRequest& request) {
  const std::string& command = request.argv.front();
  const auto is_program = [&request](const std::string& path) {
    const std::string from = !path.empty() && path.front() == '/' ? path : request.working_directory + "/" + path;
    struct stat file {};
    return ::access(from.c_str(), X_OK) == 0 && ::stat(from.c_str(), &file) == 0 && S_ISREG(file.st_mode);
  };
  if (command.find('/') != std::string::npos) return is_program(command);
  std::string_view path = value_of(request.environment, "PATH");
  while (!path.empty()) {
    const std::string_view directory = path.substr(0, path.find(':'));
    if (is_program(std::string(directory) + (directory.empty() ? "" : "/") + command)) return true;
    path.remove_prefix(std::min(path.size(), directory.size() + 1));
  }
  return false;
}

// A reason that names what a task asks for may be as long as that, and one that no keeper takes would not reach
// anybody.
void shorten_refusal(std::string& refusal) {
  refusal.resize(std::min(refusal.find('\0'), refusal.size()));
  if (refusal.size() <= kMaxRefusal) return;
  std::size_t size = kMaxRefusal - 3;
  const auto is_inside_character = [&refusal](std::size_t at) {
    return (static_cast<unsigned char>(refusal[at]) & 0xC0U) == 0x80U;
  };
  for (int bytes = 0; bytes < 3 && is_inside_character(size); ++bytes) --size;
  refusal.resize(size);
  refusal += "...";
}

}  // namespace

std::string stdout_path_of(const std::string& shared_dir, AttemptKey key) {
  return output_path(shared_dir, kOutputs, key, ".out");
}

std::string stderr_path_of(const std::string& shared_dir, AttemptKey key) {
  return output_path(shared_dir, kErrors, key, ".err");
}

Status create_output_directories(const std::string& shared_dir) {
  if (auto made = create_directory(shared_dir + std::string(kOutputs)); !made) return made;
  return create_directory(shared_dir + std::string(kErrors));
}

bool is_own_variable(std::string_view name) noexcept {
  return std::find(kOwnVariables.begin(), kOwnVariables.end(), name) != kOwnVariables.end();
}

Result<const StartRequest*> StartBuilder::build(AttemptKey key, BatchId batch, std::optional<std::uint32_t> numa_node,
                                                const std::shared_ptr<const TaskSpec>& spec) {
  const bool is_other = spec_ != spec || batch_ != batch || request_.numa_node != numa_node;
  spec_ = spec;
  std::string refusal;
  auto identity = identify(refusal);  // each time: users change
  if (!identity) {
    spec_.reset();  // what is kept is of an earlier one
    return identity.error();
  }
  if (is_other || *identity != identity_ || refusal != refusal_) {
    batch_ = batch;
    identity_ = std::move(*identity);
    refusal_ = std::move(refusal);
    build_common(batch, numa_node);
  }
  request_.key = key;
  request_.environment[0] = "HAKURIVER_TASK_ID=" + to_string(key.task);
  request_.environment[1] = "HAKURIVER_TASK_ATTEMPT=" + std::to_string(key.attempt.value);
  request_.stdout_path = stdout_path_of(world_.shared_dir, key);
  request_.stderr_path = stderr_path_of(world_.shared_dir, key);
  if (spec_->sweep) build_own(key.task.value - task_of(batch, 0).value);
  return wrap();
}

const StartRequest* StartBuilder::wrap() {
  const bool contained = !spec_->container.empty();
  if (contained && !world_.contain && request_.refusal.empty()) {
    request_.refusal = "container '" + spec_->container + "': this node runs no containers";
  }
  const auto& wrap = contained ? world_.contain : world_.wrap;
  StartRequest& request = wrap ? wrapped_ : request_;
  if (wrap) wrapped_ = wrap(request_, *spec_);
  shorten_refusal(request.refusal);
  return &request;
}

// Whom the task runs as; `refusal` says why it can never run here, an error why it cannot now.
Result<std::optional<TaskIdentity>> StartBuilder::identify(std::string& refusal) const {
  const std::string& user = spec_->user.empty() ? world_.user : spec_->user;
  if (user.empty()) return std::optional<TaskIdentity>();
  if (!world_.find_identity) {
    refusal = "this node runs no tasks as user '" + user + "'";
    return std::optional<TaskIdentity>();
  }
  auto identity = world_.find_identity(user);
  if (identity) return identity;
  const Error& error = identity.error();
  if (error.code != Errc::not_found && error.code != Errc::denied) return identity;
  refusal = error.message;
  return std::optional<TaskIdentity>();
}

// What differs from task to task of a sweep.
void StartBuilder::build_own(std::uint64_t index) {
  TaskCommand command = command_of(*spec_, index);
  request_.argv = std::move(command.argv);
  request_.environment.resize(common_variables_);
  for (const auto& [name, value] : command.variables) request_.environment.push_back(name + "=" + value);
  request_.cpus.clear();
  if (request_.numa_node && world_.binds_numa) bind(*request_.numa_node);
}

void StartBuilder::build_common(BatchId batch, std::optional<std::uint32_t> numa_node) {
  request_ = StartRequest{};
  request_.argv = spec_->argv;
  request_.environment = build_environment(batch, numa_node);
  common_variables_ = request_.environment.size();
  request_.memory_bytes = spec_->resources.memory_bytes;
  request_.millicores = spec_->resources.millicores;
  request_.cgroup = world_.cgroup;
  request_.niceness = static_cast<std::int32_t>(spec_->niceness);
  request_.time_limit = spec_->time_limit;
  request_.time_limit_grace = world_.kill_grace;
  request_.refusal = refusal_;
  if (identity_) request_.user = identity_->ids;
  request_.no_new_privileges = identity_.has_value();
  const std::string& directory = spec_->working_directory;
  const bool is_absolute = !directory.empty() && directory.front() == '/';
  request_.working_directory = directory.empty() ? world_.shared_dir
                               : is_absolute     ? directory
                                                 : world_.shared_dir + "/" + directory;
  request_.numa_node = numa_node;
  if (numa_node && world_.binds_numa && !spec_->sweep) bind(*numa_node);
}

// The first two entries are the attempt's own.
std::vector<std::string> StartBuilder::build_environment(BatchId batch, std::optional<std::uint32_t> numa_node) const {
  Variables variables = world_.environment;
  if (identity_) {
    set(variables, "HOME", identity_->home);
    set(variables, "USER", identity_->name);
    set(variables, "LOGNAME", identity_->name);
    set(variables, "SHELL", identity_->shell);
  }
  for (const auto& [name, value] : spec_->environment) {
    if (!is_own_variable(name) && !(spec_->sweep && is_sweep_variable(name))) set(variables, name, value);
  }
  set(variables, "HAKURIVER_BATCH_ID", to_string(batch));
  set(variables, "HAKURIVER_SHARED_DIR", world_.shared_dir);
  set(variables, "HAKURIVER_LOCAL_TEMP_DIR", world_.local_temp_dir);
  set(variables, "HAKURIVER_NODE", world_.node);
  set(variables, "HAKURIVER_HOST", world_.host_url);
  if (numa_node) set(variables, "HAKURIVER_TARGET_NUMA_NODE", std::to_string(*numa_node));
  std::vector<std::string> environment(2);
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  return environment;
}

void StartBuilder::bind(std::uint32_t numa_node) {
  // What a container may use is said to its engine.
  if (!world_.numactl.empty() && spec_->container.empty() && can_execute(request_)) {
    request_.argv = build_numactl(request_.argv, numa_node, world_.numactl);
    return;
  }
  for (const auto& node : world_.numa_nodes) {
    if (node.id == numa_node) request_.cpus = node.cpus;
  }
}

}  // namespace hakuriver::service
