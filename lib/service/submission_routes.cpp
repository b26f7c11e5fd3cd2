#include <utility>
#include <variant>

#include "service/people_routes.hpp"
#include "wire/people.hpp"
#include "wire/submission.hpp"
#include "wire/submission_limits.hpp"

namespace hakuriver::service {

namespace {

enum class Era : std::uint8_t { seed, ours };

HttpReply reply_of(const Result<HostAction>& action, Era era) {
  if (!action) return error_reply(action.error());
  const auto& answer = std::get<host_action::AnswerSubmission>(*action).answer;
  HttpReply reply;
  if (const auto* refused = std::get_if<Refused>(&answer)) {
    reply.status = http_status(refused->error.code);
    reply.body = refused->failed_targets.empty()
                     ? wire::encode_error(refused->error.message)
                     : wire::encode_refused_submission(refused->error.message, refused->failed_targets);
    return reply;
  }
  const auto& accepted = std::get<Accepted>(answer);
  const SubmitAnswer view{accepted.batch, accepted.count, accepted.failed_targets};
  reply.status = 202;
  reply.body = era == Era::seed ? wire::encode_seed_submit_answer(view) : wire::encode_submit_answer(view);
  return reply;
}

// Parts that the submission left to the host.
void fill_defaults(SubmitRequest& request, const PeopleOptions& options) {
  if (request.default_container) request.spec.container = options.default_container;
}

void submit(const PeopleServices& services, RouteCall call, wire::Submission submission, Era era) {
  if (const auto* invalid = std::get_if<wire::InvalidInput>(&submission)) {
    call.responder->reply({.status = 422, .body = invalid->body()});
    return;
  }
  SubmitRequest request = std::move(std::get<SubmitRequest>(submission));
  fill_defaults(request, services.options);
  const auto key = call.request.headers.find("idempotency-key");
  if (key != call.request.headers.end() && request.submission_id.empty()) request.submission_id = key->second;
  if (!wire::is_submission_id(request.submission_id)) {
    const Error wrong{Errc::invalid_argument, "must be at most 64 printable ASCII characters without blanks"};
    call.responder->reply(error_reply(wrong, "header", "Idempotency-Key"));
    return;
  }
  host_event::Submit event;
  event.content_digest = wire::content_digest(request);
  event.submission_id = std::move(request.submission_id);
  event.targets = std::move(request.targets);
  event.count = request.count;
  event.spec = std::make_shared<const TaskSpec>(std::move(request.spec));
  services.host.post(std::move(event), [responder = std::move(call.responder), era](const Result<HostAction>& action) {
    responder->reply(reply_of(action, era));
  });
}

}  // namespace

std::vector<Route> submission_routes(const PeopleServices& services) {
  const RouteFunction seed = [services](RouteCall call) {
    wire::Submission submission = wire::decode_submit(call.request.body);
    submit(services, std::move(call), std::move(submission), Era::seed);
  };
  const RouteFunction ours = [services](RouteCall call) {
    wire::Submission submission = wire::decode_batch(call.request.body);
    submit(services, std::move(call), std::move(submission), Era::ours);
  };
  return {{"POST", "/submit", seed}, {"POST", "/api/submit", seed}, {"POST", "/api/v1/batches", ours}};
}

}  // namespace hakuriver::service
