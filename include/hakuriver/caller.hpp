// The port through which a runner or a client asks a host: one call at a time, and a way out of it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "hakuriver/http.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// One thread calls at a time.
class HttpCaller {
 public:
  virtual ~HttpCaller() = default;

  // The reply, whatever its status. Of the request its method, path, query, headers and body count. Errc::unavailable
  // where no reply came within `deadline`; the request may have been taken all the same.
  virtual Result<HttpReply> call(const HttpRequest& request, std::chrono::milliseconds deadline) = 0;

  // From any thread: the call under way and all later ones end at once with Errc::unavailable.
  virtual void cancel() = 0;
};

// Makes a caller for one thread; it connects when it is first used. Never null. From any thread.
using CallerFactory = std::function<std::unique_ptr<HttpCaller>()>;

}  // namespace v1
}  // namespace hakuriver
