// Submissions as JSON: POST /submit as clients of the seed era send it, and POST /api/v1/batches, our own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "hakuriver/result.hpp"
#include "hakuriver/submit_request.hpp"
#include "wire/invalid_input.hpp"

namespace hakuriver::wire {

using Submission = std::variant<SubmitRequest, InvalidInput>;

// POST /submit. Fields that cannot be honoured are refused unless they have their default value; other unknown
// fields are ignored.
Submission decode_submit(std::string_view body);

// POST /api/v1/batches. Unknown fields are refused.
//
//   argv             array of text, required      environment       {"NAME": text} or [["NAME", text], ...]
//   cores            number or text, default 1    memory            "8G" or bytes, default none
//   targets          ["node1", "node1:0"]         count             tasks, default 1 or one per target
//   name, cwd        text                         container         text; "NULL" is the node itself
//   mounts           ["/host:/inside"]            privileged, private_network, private_pid
//   submission_id    text                         time_limit        seconds, or a text such as "2h"; default none
//   user             name; default the node's     nice              0 to 19
//
// Each text may be {"base64": "..."}, for bytes that are not UTF-8.
Submission decode_batch(std::string_view body);

// What decode_batch reads back.
std::string encode_batch(const SubmitRequest& request);

// The same for the same tasks, whatever the submission id: a repeated id with other content is seen by it. FNV-1a.
std::uint64_t content_digest(const SubmitRequest& request);

std::string encode_submit_answer(const SubmitAnswer& answer);       // our own; lists task ids up to 1000 tasks
std::string encode_seed_submit_answer(const SubmitAnswer& answer);  // lists them all
Result<SubmitAnswer> decode_submit_answer(std::string_view body);   // either

// The body of 503 where every target was refused.
std::string encode_refused_submission(std::string_view detail, const std::vector<FailedTarget>& failed_targets);
// The targets in such a body; none where it is another one.
std::vector<FailedTarget> decode_refused_targets(std::string_view body);

}  // namespace hakuriver::wire
