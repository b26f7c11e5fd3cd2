#include "cli/cluster_client.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "cli/exit_status.hpp"
#include "engine/child_process.hpp"
#include "engine/program_path.hpp"
#include "platform/descriptor.hpp"
#include "platform/identity.hpp"
#include "platform/system_error.hpp"

extern char** environ;

namespace hakuriver::cli {
namespace {

constexpr std::string_view kClient = "hakuriver.client";

sigset_t no_signals() {
  sigset_t mask;
  ::sigemptyset(&mask);
  return mask;
}

rlimit open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit;
}

}  // namespace

Result<std::string> find_client() {
  const auto beside = platform::executable_directory();
  auto client = beside ? engine::find_program(kClient, *beside) : std::nullopt;
  const char* path = std::getenv("PATH");
  if (!client) client = engine::find_program(kClient, path != nullptr ? path : "/usr/bin:/bin");
  if (client) return *client;
  return Error{Errc::not_found, "--to cluster: there is no hakuriver.client beside hakurun or on the PATH"};
}

ClusterClient::ClusterClient(std::string program, std::string host)
    : program_(std::move(program)), host_(std::move(host)), spawner_(no_signals(), open_files()) {}

ClusterClient::~ClusterClient() {
  for (const auto& question : questions_) {
    if (question.client <= 0) continue;
    ::kill(question.client, SIGTERM);
    ::waitpid(question.client, nullptr, 0);
  }
}

Result<pid_t> ClusterClient::start(std::vector<std::string> words, int stdin_fd, int stdout_fd) {
  words.insert(words.begin(), std::string(kClient));
  if (!host_.empty()) words.insert(words.end(), {"--host", host_});
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  engine::SpawnRequest request;
  request.path = program_.c_str();
  request.argv = argv.data();
  request.environment = environ;
  request.stdin_fd = stdin_fd;
  request.stdout_fd = stdout_fd;
  const auto spawned = spawner_.spawn(request);
  if (spawned.pid > 0) return spawned.pid;
  return platform::system_error("cannot start '" + program_ + "'", spawned.error_number);
}

void ClusterClient::ask(std::string_view option, const std::string& batch) {
  for (const auto& question : questions_) {
    if (question.option == option && question.batch == batch) return;
  }
  questions_.push_back({std::string(option), batch, -1, {}});
  go_on();
}

void ClusterClient::forget(const std::string& batch) {
  for (auto& question : questions_) {
    if (question.batch != batch || question.client <= 0) continue;
    ::kill(question.client, SIGTERM);
    ::waitpid(question.client, nullptr, 0);
  }
  std::erase_if(questions_, [&](const Question& question) { return question.batch == batch; });
}

void ClusterClient::go_on() {
  std::erase_if(questions_, [this](Question& question) { return !go_on(question); });
}

bool ClusterClient::go_on(Question& question) {
  const auto now = engine::monotonic_now();
  if (question.client > 0) {
    int status = 0;
    const pid_t ended = ::waitpid(question.client, &status, WNOHANG);
    if (ended == 0) return true;
    question.client = -1;
    question.next_try = now + kPace;
    return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == kExitUnreachable;
  }
  if (now < question.next_try) return true;
  const platform::Descriptor nowhere =
      engine::above_stdio(platform::Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC)));
  const auto client = start({"--quiet", question.option, question.batch}, nowhere.get(), nowhere.get());
  question.next_try = now + kPace;
  if (client) question.client = *client;
  return true;
}

}  // namespace hakuriver::cli
