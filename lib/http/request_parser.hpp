// From the text of a checked head to an HttpRequest.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "hakuriver/http.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::http {

// Any number of threads may parse with one parser at a time.
class RequestParser {
 public:
  RequestParser();
  ~RequestParser();

  // `head` must have passed scan_head. The body and the address are left empty. Errc::parse where the head cannot be
  // understood, a percent escape is broken, or a decoded path or header would hold control characters.
  Result<HttpRequest> parse(std::string_view head);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hakuriver::http
