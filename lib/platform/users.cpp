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
  std::chrono::milliseconds kept;
  std::chrono::milliseconds patience;
  std::mutex mutex;
  std::condition_variable answered;
  std::map<std::string, std::shared_ptr<Entry>> entries;
  std::size_t asking = 0;

  bool is_fresh(const Entry& entry) const {
    return entry.answer && !entry.is_asked && Clock::now() - entry.answered_at < kept;
  }

  std::shared_ptr<Entry> entry_of(const std::string& name) {
    if (entries.size() >= kMostKept) {
      std::erase_if(entries, [](const auto& entry) { return !entry.second->is_asked; });
    }
    auto& entry = entries[name];
    if (!entry) entry = std::make_shared<Entry>();
    return entry;
  }
};

UserDirectory::UserDirectory(Read read, std::chrono::milliseconds kept, std::chrono::milliseconds patience)
    : state_(std::make_shared<State>()) {
  state_->read = std::move(read);
  state_->kept = kept;
  state_->patience = patience;
}

// On a thread that nobody waits for: where the database hangs, it may never return. False: no thread can be had.
bool UserDirectory::ask(const std::string& name) {
  const auto entry = state_->entries[name];
  if (state_->asking >= kMostAsking) return false;
  try {
    std::thread([state = state_, name, entry] {
      auto answer = state->read(name);
      const std::lock_guard guard(state->mutex);
      entry->answer = std::move(answer);
      entry->answered_at = State::Clock::now();
      entry->is_asked = false;
      --state->asking;
      state->answered.notify_all();
    }).detach();
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
  if (state_->is_fresh(*entry)) return *entry->answer;
  const bool is_asked = entry->is_asked || ask(name);
  if (is_asked) state_->answered.wait_for(lock, state_->patience, [&entry] { return !entry->is_asked; });
  if (is_asked && !entry->is_asked) return *entry->answer;
  if (entry->answer && *entry->answer) return *entry->answer;
  return Error{Errc::unavailable, "the user database does not answer when asked for user '" + name + "'"};
}

}  // namespace hakuriver::platform
