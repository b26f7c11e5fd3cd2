#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "hakuriver/docker_run.hpp"
#include "service/people_routes.hpp"
#include "service/pin_lane.hpp"
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
  TaskSpec& spec = request.spec;
  if (request.default_container) spec.container = options.default_container;
  if (spec.container.empty()) return;
  if (request.default_mounts) spec.mounts = options.default_mounts;
  if (request.default_privileged) spec.privileged = options.default_privileged;
}

bool is_allowed(const std::vector<std::string>& directories, const std::string& path) {
  const auto holds = [&path](std::string directory) {
    while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
    return is_below(path, directory);
  };
  const bool climbs = (path + "/").find("/../") != std::string::npos;
  return !climbs && std::any_of(directories.begin(), directories.end(), holds);
}

// What a submission asks for and may not have. What the host's own file says is allowed by that.
Status check_container(const SubmitRequest& request, const PeopleOptions& options) {
  const TaskSpec& spec = request.spec;
  const bool asks = spec.privileged || !spec.mounts.empty();
  if (spec.container.empty() && asks) {
    return Error{Errc::invalid_argument, std::string(spec.privileged ? "privileged" : "mounts") +
                                             ": only a container has that: name one (container)"};
  }
  if (spec.privileged && !request.default_privileged && !options.allow_privileged) {
    return Error{Errc::denied, "privileged: not allowed by [docker] allow_privileged"};
  }
  if (request.default_mounts) return Unit{};
  for (const auto& text : spec.mounts) {
    const auto mount = parse_mount(text);
    if (!mount) return Error{Errc::invalid_argument, "mounts: " + mount.error().message};
    if (options.allow_mounts && !is_allowed(*options.allow_mounts, mount->source)) {
      return Error{Errc::denied, "mounts: '" + mount->source + "' is not allowed by [docker] allow_mounts"};
    }
  }
  return Unit{};
}

// A submission that the host is to be told of once it is known what its container's name means.
struct Draft {
  SubmitRequest request;
  host_event::Submit event;
  std::shared_ptr<HttpResponder> responder;
  Era era = Era::ours;
};

void post(HostService& host, Draft draft) {
  SubmitRequest& request = draft.request;
  host_event::Submit& event = draft.event;
  event.submission_id = std::move(request.submission_id);
  event.targets = std::move(request.targets);
  event.count = request.count;
  if (request.default_container && !request.spec.container.empty() && request.default_mounts &&
      (request.default_privileged || !request.spec.privileged)) {
    auto on_node = std::make_shared<TaskSpec>(request.spec);
    on_node->container.clear();
    on_node->mounts.clear();
    on_node->privileged = false;
    event.on_node = std::move(on_node);
  }
  event.spec = std::make_shared<const TaskSpec>(std::move(request.spec));
  host.post(std::move(event), [responder = std::move(draft.responder), era = draft.era](
                                  const Result<HostAction>& action) { responder->reply(reply_of(action, era)); });
}

// What the container's name means at this moment, it means for all of the submission's tasks.
void pin(HostService& host, PinLane& lane, Draft draft) {
  std::string container = draft.request.spec.container;
  const auto shared = std::make_shared<Draft>(std::move(draft));
  lane.ask(std::move(container), [&host, shared](Result<std::string> pinned) {
    if (pinned) {
      shared->request.spec.container = std::move(*pinned);
    } else {
      shared->event.refusal = pinned.error();
    }
    post(host, std::move(*shared));
  });
}

void submit(const PeopleServices& services, PinLane* lane, RouteCall call, wire::Submission submission, Era era) {
  if (const auto* invalid = std::get_if<wire::InvalidInput>(&submission)) {
    call.responder->reply({.status = 422, .body = invalid->body()});
    return;
  }
  SubmitRequest request = std::move(std::get<SubmitRequest>(submission));
  fill_defaults(request, services.options);
  if (const auto allowed = check_container(request, services.options); !allowed) {
    call.responder->reply(error_reply(allowed.error()));
    return;
  }
  const auto key = call.request.headers.find("idempotency-key");
  if (key != call.request.headers.end() && request.submission_id.empty()) request.submission_id = key->second;
  if (!wire::is_submission_id(request.submission_id)) {
    const Error wrong{Errc::invalid_argument, "must be at most 64 printable ASCII characters without blanks"};
    call.responder->reply(error_reply(wrong, "header", "Idempotency-Key"));
    return;
  }
  Draft draft;
  draft.event.content_digest = wire::content_digest(request);  // of what was asked for, whatever it means today
  draft.request = std::move(request);
  draft.responder = std::move(call.responder);
  draft.era = era;
  if (lane == nullptr || draft.request.spec.container.empty()) return post(services.host, std::move(draft));
  pin(services.host, *lane, std::move(draft));
}

}  // namespace

std::vector<Route> submission_routes(const PeopleServices& services) {
  std::shared_ptr<PinLane> lane;
  if (services.options.pin_container) lane = std::make_shared<PinLane>(services.options.pin_container);
  const RouteFunction seed = [services, lane](RouteCall call) {
    wire::Submission submission = wire::decode_submit(call.request.body);
    submit(services, lane.get(), std::move(call), std::move(submission), Era::seed);
  };
  const RouteFunction ours = [services, lane](RouteCall call) {
    wire::Submission submission = wire::decode_batch(call.request.body);
    submit(services, lane.get(), std::move(call), std::move(submission), Era::ours);
  };
  return {{"POST", "/submit", seed}, {"POST", "/api/submit", seed}, {"POST", "/api/v1/batches", ours}};
}

}  // namespace hakuriver::service
