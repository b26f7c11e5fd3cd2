// The runner's side of reading output that lies on its machine only: it asks the host what is wanted, and brings it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "hakuriver/caller.hpp"
#include "wire/output_messages.hpp"

namespace hakuriver::service {

// What is wanted, as this machine's files have it.
wire::OutputPart read_part(const std::string& shared_dir, const wire::OutputWant& want);

class OutputLane {
 public:
  OutputLane(CallerFactory connect, std::string node, std::string shared_dir);
  // Cancels what is under way.
  ~OutputLane();
  OutputLane(const OutputLane&) = delete;
  OutputLane& operator=(const OutputLane&) = delete;

  // From any thread: whether the host is to be asked. At first it is not.
  void set_active(bool is_active);

 private:
  void run();
  std::vector<wire::OutputPart> ask(std::vector<wire::OutputPart> parts, bool& was_answered);

  const CallerFactory connect_;
  const std::string node_;
  const std::string shared_dir_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<HttpCaller> caller_;  // made by the thread; guarded by mutex_ but for its call
  bool is_active_ = false;              // guarded by mutex_, as all below
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace hakuriver::service
