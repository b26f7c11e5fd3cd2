#include "systemd/manager_bus.hpp"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <systemd/sd-bus.h>

#include "systemd/unit.hpp"

namespace hakuriver::systemd {
namespace {

constexpr const char* kManager = "org.freedesktop.systemd1";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kInterface = "org.freedesktop.systemd1.Manager";
constexpr const char* kNoSuchUnit = "org.freedesktop.systemd1.NoSuchUnit";
constexpr const char* kUnknownObject = "org.freedesktop.DBus.Error.UnknownObject";
constexpr std::uint64_t kPatienceMicroseconds = 25'000'000;
constexpr std::uint64_t kStopMicroseconds = 1'000'000;
constexpr std::uint32_t kOomPolicyOfScopes = 252;  // the version that brought it

struct CloseBus {
  void operator()(sd_bus* bus) const { ::sd_bus_close_unref(bus); }
};
struct UnrefMessage {
  void operator()(sd_bus_message* message) const { ::sd_bus_message_unref(message); }
};
struct UnrefSlot {
  void operator()(sd_bus_slot* slot) const { ::sd_bus_slot_unref(slot); }
};
using Bus = std::unique_ptr<sd_bus, CloseBus>;
using Message = std::unique_ptr<sd_bus_message, UnrefMessage>;
using Slot = std::unique_ptr<sd_bus_slot, UnrefSlot>;

// A job of the manager that starts or stops the scope, and how it ended.
struct Job {
  std::string path;
  std::string result;
};

// A socket of the manager itself, without a message bus in between, or the bus.
Bus connect_to(const std::string& address, bool is_bus) {
  sd_bus* made = nullptr;
  if (::sd_bus_new(&made) < 0) return nullptr;
  Bus bus(made);
  if (::sd_bus_set_address(bus.get(), address.c_str()) < 0) return nullptr;
  if (is_bus && ::sd_bus_set_bus_client(bus.get(), 1) < 0) return nullptr;
  return ::sd_bus_start(bus.get()) < 0 ? nullptr : std::move(bus);
}

Bus connect(bool user_manager) {
  const std::string directory = user_manager ? runtime_directory() : "/run";
  if (user_manager || ::geteuid() == 0) {
    if (auto bus = connect_to("unix:path=" + directory + "/systemd/private", false)) return bus;
  }
  return connect_to("unix:path=" + directory + (user_manager ? "/bus" : "/dbus/system_bus_socket"), true);
}

// One for as long as the program runs, which has one manager to ask: making one takes that as long as an answer.
sd_bus* connection(const Options& options) {
  static Bus bus;
  if (!bus || ::sd_bus_is_open(bus.get()) <= 0) bus = connect(options.user_manager);
  return bus.get();
}

int remember_removed(sd_bus_message* message, void* data, sd_bus_error*) {
  auto& job = *static_cast<Job*>(data);
  std::uint32_t number = 0;
  const char* path = nullptr;
  const char* unit = nullptr;
  const char* result = nullptr;
  if (::sd_bus_message_read(message, "uoss", &number, &path, &unit, &result) < 0) return 0;
  if (job.path == path) job.result = result;
  return 0;
}

// Signals come to those only who have asked for them; on the manager's own socket, where asking is no harm, to all.
Slot hear_of_jobs(sd_bus* bus, Job& job) {
  sd_bus_slot* made = nullptr;
  if (::sd_bus_call_method(bus, kManager, kPath, kInterface, "Subscribe", nullptr, nullptr, nullptr) < 0 ||
      ::sd_bus_match_signal(bus, &made, nullptr, kPath, kInterface, "JobRemoved", remember_removed, &job) < 0) {
    return nullptr;
  }
  return Slot(made);
}

int append_properties(sd_bus_message* message, const Options& options) {
  int done = ::sd_bus_message_open_container(message, 'a', "(sv)");
  const auto add = [&done, message](const char* name, std::uint64_t number) {
    if (done >= 0) done = ::sd_bus_message_append(message, "(sv)", name, "t", number);
  };
  if (done >= 0) {
    done =
        ::sd_bus_message_append(message, "(sv)(sv)(sv)", "Description", "s", options.description.c_str(), "PIDs", "au",
                                1, static_cast<std::uint32_t>(::getpid()), "CollectMode", "s", "inactive-or-failed");
  }
  if (options.millicores != 0) add("CPUQuotaPerSecUSec", options.millicores * 1000);
  if (options.memory_bytes != 0) add("MemoryMax", options.memory_bytes);
  add("MemorySwapMax", 0);
  if (done >= 0 && options.version >= kOomPolicyOfScopes) {
    done = ::sd_bus_message_append(message, "(sv)", "OOMPolicy", "s", "continue");
  }
  return done < 0 ? done : ::sd_bus_message_close_container(message);
}

Error refused(const Options& options, const char* reason) {
  return {Errc::io, "systemd: " + options.unit + ": " + reason};
}

Status ask(sd_bus* bus, const Options& options, Job& job) {
  sd_bus_message* made = nullptr;
  int done = ::sd_bus_message_new_method_call(bus, &made, kManager, kPath, kInterface, "StartTransientUnit");
  const Message message(made);
  if (done >= 0) done = ::sd_bus_message_append(made, "ss", options.unit.c_str(), "fail");
  if (done >= 0) done = append_properties(made, options);
  if (done >= 0) done = ::sd_bus_message_append(made, "a(sa(sv))", 0);
  if (done < 0) return refused(options, std::strerror(-done));
  sd_bus_error error{};
  sd_bus_message* answered = nullptr;
  done = ::sd_bus_call(bus, made, kPatienceMicroseconds, &error, &answered);
  const Message answer(answered);
  const char* path = nullptr;
  if (done >= 0) done = ::sd_bus_message_read(answered, "o", &path);
  const Status asked =
      done >= 0 ? Status(Unit{}) : refused(options, error.message != nullptr ? error.message : std::strerror(-done));
  ::sd_bus_error_free(&error);
  if (asked) job.path = path;
  return asked;
}

std::uint64_t now_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

// 0 when the job has ended, or errno.
int await(sd_bus* bus, const Job& job, std::uint64_t patience) {
  const std::uint64_t deadline = now_microseconds() + patience;
  while (job.result.empty()) {
    const int processed = ::sd_bus_process(bus, nullptr);
    if (processed < 0) return -processed;
    const std::uint64_t now = now_microseconds();
    if (now >= deadline) return ETIMEDOUT;
    if (processed == 0) ::sd_bus_wait(bus, deadline - now);
  }
  return 0;
}

// Until then the process need not be in the scope.
Status await_start(sd_bus* bus, const Options& options, const Job& job) {
  const int failed = await(bus, job, kPatienceMicroseconds);
  if (failed == ETIMEDOUT) return refused(options, "its start takes too long");
  if (failed != 0) return refused(options, std::strerror(failed));
  return job.result == "done" ? Status(Unit{}) : refused(options, ("its start ended as '" + job.result + "'").c_str());
}

enum class Answer { told, no_such_unit, failed };

// The manager may forget a unit between two questions.
Answer answer_of(int done, const sd_bus_error& error) {
  if (done >= 0) return Answer::told;
  const bool is_gone =
      ::sd_bus_error_has_name(&error, kNoSuchUnit) > 0 || ::sd_bus_error_has_name(&error, kUnknownObject) > 0;
  return is_gone ? Answer::no_such_unit : Answer::failed;
}

// A property of a unit that is a text.
Answer read_property(sd_bus* bus, const char* unit_path, const char* name, std::string& value) {
  char* text = nullptr;
  sd_bus_error error{};
  const int done =
      ::sd_bus_get_property_string(bus, kManager, unit_path, "org.freedesktop.systemd1.Unit", name, &error, &text);
  const std::unique_ptr<char, decltype(&::free)> owned(text, ::free);
  const Answer answer = answer_of(done, error);
  ::sd_bus_error_free(&error);
  if (answer == Answer::told) value = text;
  return answer;
}

Answer find_unit(sd_bus* bus, const std::string& unit, std::string& path) {
  sd_bus_error error{};
  sd_bus_message* answered = nullptr;
  int done = ::sd_bus_call_method(bus, kManager, kPath, kInterface, "GetUnit", &error, &answered, "s", unit.c_str());
  const Message message(answered);
  const char* found = nullptr;
  if (done >= 0) done = ::sd_bus_message_read(answered, "o", &found);
  const Answer answer = answer_of(done, error);
  ::sd_bus_error_free(&error);
  if (answer == Answer::told) path = found;
  return answer;
}

// GetUnitProcesses answers with a(sus): cgroup, process, its command line.
bool is_empty(sd_bus* bus, const std::string& unit) {
  sd_bus_message* answered = nullptr;
  const int done =
      ::sd_bus_call_method(bus, kManager, kPath, kInterface, "GetUnitProcesses", nullptr, &answered, "s", unit.c_str());
  const Message answer(answered);
  return done >= 0 && ::sd_bus_message_enter_container(answered, 'a', "(sus)") == 0;
}

}  // namespace

Status enter_scope(const Options& options) {
  sd_bus* const bus = connection(options);
  if (bus == nullptr) return Error{Errc::unavailable, "systemd cannot be reached on the bus"};
  Job job;
  const Slot slot = hear_of_jobs(bus, job);
  if (!slot) return Error{Errc::unavailable, "systemd's signals cannot be heard on the bus"};
  if (auto asked = ask(bus, options, job); !asked) return asked;
  return await_start(bus, options, job);
}

void stop_empty_scope(const Options& options) {
  sd_bus* const bus = connection(options);
  if (bus == nullptr || !is_empty(bus, options.unit)) return;
  Job job;
  const Slot slot = hear_of_jobs(bus, job);
  if (!slot) return;
  sd_bus_message* answered = nullptr;
  int done = ::sd_bus_call_method(bus, kManager, kPath, kInterface, "StopUnit", nullptr, &answered, "ss",
                                  options.unit.c_str(), "replace");
  const Message answer(answered);
  const char* path = nullptr;
  if (done >= 0) done = ::sd_bus_message_read(answered, "o", &path);
  if (done < 0) return;
  job.path = path;
  await(bus, job, kStopMicroseconds);
}

std::optional<UnitState> read_scope_state(const Options& options) {
  sd_bus* const bus = connection(options);
  if (bus == nullptr) return std::nullopt;
  UnitState state;
  state.is_known = true;
  std::string path;
  auto answer = find_unit(bus, options.unit, path);
  if (answer == Answer::told) answer = read_property(bus, path.c_str(), "ActiveState", state.active);
  if (answer == Answer::failed) return std::nullopt;
  state.is_loaded = answer == Answer::told;
  // Older ones have no freezer.
  if (state.is_loaded) read_property(bus, path.c_str(), "FreezerState", state.frozen);
  return state;
}

std::optional<bool> act_on_scope(const Options& options, const std::string& verb, int signal) {
  sd_bus* const bus = connection(options);
  if (bus == nullptr) return std::nullopt;
  const char* const unit = options.unit.c_str();
  const auto call = [bus, unit](const char* method) {
    return ::sd_bus_call_method(bus, kManager, kPath, kInterface, method, nullptr, nullptr, "s", unit) >= 0;
  };
  if (verb == "freeze") return call("FreezeUnit");
  if (verb == "thaw") return call("ThawUnit");
  if (verb == "reset-failed") return call("ResetFailedUnit");
  if (verb != "kill") return std::nullopt;
  return ::sd_bus_call_method(bus, kManager, kPath, kInterface, "KillUnit", nullptr, nullptr, "ssi", unit, "all",
                              signal) >= 0;
}

}  // namespace hakuriver::systemd
