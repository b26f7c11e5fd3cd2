// hakuriver.client as hakurun uses it: one that follows a batch, and short ones that ask for its end.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "engine/spawn.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver::cli {

// The client beside this program, else on the PATH. not_found where there is none.
Result<std::string> find_client();

// One thread uses it.
class ClusterClient {
 public:
  // `host` as its --host; empty: the usual one.
  ClusterClient(std::string program, std::string host);
  // Ends what asks still.
  ~ClusterClient();
  ClusterClient(const ClusterClient&) = delete;
  ClusterClient& operator=(const ClusterClient&) = delete;

  // The caller waits for the process.
  Result<pid_t> start(std::vector<std::string> words, int stdin_fd, int stdout_fd);

  // Asks for something about a batch ("--kill"), again and again while the host cannot be reached. Returns at once.
  void ask(std::string_view option, const std::string& batch);
  // Nothing more is to be asked about it.
  void forget(const std::string& batch);
  // Goes on with what is asked; to be called until nothing is, every kPace.
  void go_on();
  bool is_asking() const noexcept { return !questions_.empty(); }

  static constexpr std::chrono::milliseconds kPace{500};

 private:
  struct Question {
    std::string option;
    std::string batch;
    pid_t client = -1;
    MonotonicTime next_try;
  };

  // False where it has its answer.
  bool go_on(Question& question);

  const std::string program_;
  const std::string host_;
  engine::Spawner spawner_;
  std::vector<Question> questions_;
};

}  // namespace hakuriver::cli
