// What a launching program tells of the start on its descriptor 3, and the pipe's end from which the keeper reads it.
#pragma once

#include <string>

#include "hakuriver/outcome.hpp"
#include "hakuriver/result.hpp"
#include "keeper/descriptor.hpp"

namespace hakuriver::keeper {

class StartReport {
 public:
  enum class Verdict : std::uint8_t {
    open = 0,  // more may come
    executed,  // the command runs; cgroup() is what it wrote
    failed,    // outcome() and message()
    silent,    // it ended and told nothing
  };

  // Makes the pipe and gives the launching program's end. Whoever holds that can always write.
  Result<Descriptor> open();

  int descriptor() const { return pipe_.get(); }

  // Takes what there is, at most 16 KiB in all, without waiting. `is_over`: nobody will write any more, whoever may
  // still hold the other end. Closed with any verdict but `open`.
  Verdict read(bool is_over);

  Verdict verdict() const { return verdict_; }
  const std::string& cgroup() const { return text_; }
  const Outcome& outcome() const { return outcome_; }
  const std::string& message() const { return message_; }

 private:
  Verdict conclude();

  Descriptor pipe_;
  std::string text_;
  Verdict verdict_ = Verdict::open;
  Outcome outcome_;
  std::string message_;
};

}  // namespace hakuriver::keeper
