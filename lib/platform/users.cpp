#include "platform/users.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace hakuriver::platform {
namespace {

constexpr std::size_t kMostEntryBytes = std::size_t{1} << 20;
constexpr int kMostGroups = 65536;       // as the kernel has it: NGROUPS_MAX
constexpr std::size_t kMostKept = 1000;  // users
constexpr std::size_t kMostAsking = 16;  // threads
constexpr int kHastier = 20;             // after trouble with the database
constexpr std::chrono::seconds kTrouble{10};

Result<std::vector<std::uint32_t>> read_groups(const std::string& name, gid_t own) {
  std::vector<gid_t> groups(64);
  auto count = static_cast<int>(groups.size());
  while (::getgrouplist(name.c_str(), own, groups.data(), &count) < 0) {
    const int wanted = std::max(count, 2 * static_cast<int>(groups.size()));
    if (wanted > kMostGroups) return Error{Errc::limit, "user '" + name + "' is in more than 65536 groups"};
    groups.resize(static_cast<std::size_t>(wanted));
    count = wanted;
  }
  return std::vector<std::uint32_t>(groups.begin(), groups.begin() + count);
}

}  // namespace

Result<User> read_user(const std::string& name) {
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  int code = 0;
  while ((code = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found)) == ERANGE &&
         buffer.size() < kMostEntryBytes) {
    buffer.resize(2 * buffer.size());
  }
  if (found == nullptr) {
    // These are what databases answer besides 0 where they have no such user.
    const bool is_missing = code == 0 || code == ENOENT || code == ESRCH || code == EBADF || code == EPERM;
    if (is_missing) return Error{Errc::not_found, "there is no user '" + name + "' on this machine"};
    return Error{Errc::unavailable,
                 "the user database cannot tell of user '" + name + "': " + std::generic_category().message(code)};
  }
  auto groups = read_groups(found->pw_name, found->pw_gid);
  if (!groups) return groups.error();
  const std::string shell = *found->pw_shell == '\0' ? "/bin/sh" : found->pw_shell;
  return User{found->pw_name, found->pw_uid, found->pw_gid, std::move(*groups), found->pw_dir, shell};
}

struct UserDirectory::State {
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::optional<Result<User>> answer;
    Clock::time_point answered_at;
    bool is_asked = false;
  };
  Read read;
  Times times;
  std::mutex mutex;
  std::condition_variable answered;
  std::map<std::string, std::shared_ptr<Entry>> entries;
  std::size_t asking = 0;
  Clock::time_point trouble_until;  // it has not answered lately, or could not tell

  static bool is_younger(const Entry& entry, std::chrono::milliseconds age) {
    return entry.answer && Clock::now() - entry.answered_at < age;
  }

  // A failure to tell is no answer.
  static bool is_answer(const Result<User>& told) { return told || told.error().code == Errc::not_found; }

  static bool has_user(const Entry& entry) { return entry.answer && *entry.answer; }

  std::shared_ptr<Entry> entry_of(const std::string& name) {
    if (entries.size() >= kMostKept) {
      std::erase_if(entries, [](const auto& entry) { return !entry.second->is_asked; });
    }
    auto& entry = entries[name];
    if (!entry) entry = std::make_shared<Entry>();
    return entry;
  }

  void take(Entry& entry, Result<User> told) {
    const std::lock_guard guard(mutex);
    if (!is_answer(told)) trouble_until = Clock::now() + kTrouble;
    if (is_answer(told) || !has_user(entry)) {
      entry.answer = std::move(told);
      entry.answered_at = Clock::now();
    }
    entry.is_asked = false;
    --asking;
    answered.notify_all();
  }

  void wait_for(std::unique_lock<std::mutex>& lock, Entry& entry) {
    const auto patience = Clock::now() < trouble_until ? times.patience / kHastier : times.patience;
    if (answered.wait_for(lock, patience, [&entry] { return !entry.is_asked; })) return;
    trouble_until = Clock::now() + kTrouble;
  }
};

UserDirectory::UserDirectory(Read read, Times times) : state_(std::make_shared<State>()) {
  state_->read = std::move(read);
  state_->times = times;
}

// On a thread that nobody waits for: where the database hangs, it may never return. False: no thread can be had.
bool UserDirectory::ask(const std::string& name) {
  const auto entry = state_->entries[name];
  if (state_->asking >= kMostAsking) return false;
  try {
    std::thread([state = state_, name, entry] { state->take(*entry, state->read(name)); }).detach();
  } catch (const std::system_error&) {
    return false;
  }
  entry->is_asked = true;
  ++state_->asking;
  return true;
}

Result<User> UserDirectory::find(const std::string& name) {
  std::unique_lock lock(state_->mutex);
  const auto entry = state_->entry_of(name);
  if (State::is_younger(*entry, state_->times.kept) && State::is_answer(*entry->answer)) return *entry->answer;
  const bool is_asked_anew = !entry->is_asked && ask(name);
  const bool is_usable = State::has_user(*entry) && State::is_younger(*entry, state_->times.usable);
  if (is_asked_anew && !is_usable) {
    state_->wait_for(lock, *entry);
    if (!entry->is_asked) return *entry->answer;
  }
  if (State::has_user(*entry)) return *entry->answer;
  return Error{Errc::unavailable, "the user database does not answer when asked for user '" + name + "'"};
}

}  // namespace hakuriver::platform
