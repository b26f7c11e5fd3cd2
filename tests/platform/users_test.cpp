#include "platform/users.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

using namespace hakuriver;
using platform::User;
using platform::UserDirectory;
using std::chrono::milliseconds;

namespace {

constexpr std::chrono::hours kLong{1};
constexpr milliseconds kNone{0};
constexpr UserDirectory::Times kPatient{kLong, kLong, kLong};

// A user database that can be held up.
class Database {
 public:
  Result<User> read(const std::string& name) {
    std::unique_lock lock(mutex_);
    ++asked_;
    changed_.wait(lock, [this] { return !is_held_; });
    if (is_broken_) return Error{Errc::unavailable, "it cannot tell of " + name};
    if (name.starts_with("no-")) return Error{Errc::not_found, "no " + name};
    return User{name, uid_, 7, {7, 8}, "/home/" + name, "/bin/sh"};
  }
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    is_held_ = held;
    changed_.notify_all();
  }
  void break_it(bool broken) {
    const std::lock_guard lock(mutex_);
    is_broken_ = broken;
  }
  void set_uid(std::uint32_t uid) {
    const std::lock_guard lock(mutex_);
    uid_ = uid;
  }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_held_ = false;
  bool is_broken_ = false;
  std::uint32_t uid_ = 1000;
  int asked_ = 0;
};

UserDirectory directory_of(const std::shared_ptr<Database>& database, const UserDirectory::Times& times) {
  return UserDirectory([database](const std::string& name) { return database->read(name); }, times);
}

// Calls `ready` until it is true, for at most a minute.
bool eventually(const std::function<bool()>& ready) {
  for (const auto until = std::chrono::steady_clock::now() + std::chrono::minutes{1};
       std::chrono::steady_clock::now() < until;) {
    if (ready()) return true;
    std::this_thread::sleep_for(milliseconds{1});
  }
  return ready();
}

}  // namespace

TEST_CASE("root is known with a number, a home and the groups") {
  const auto root = platform::read_user("root");
  REQUIRE(root);
  CHECK(root->name == "root");
  CHECK(root->uid == 0);
  CHECK(std::find(root->groups.begin(), root->groups.end(), root->gid) != root->groups.end());
  CHECK(root->home.starts_with('/'));
  CHECK(root->shell.starts_with('/'));
  CHECK(*UserDirectory(platform::read_user, kPatient).find("root") == *root);
}

TEST_CASE("a user who is not there is named") {
  for (const char* name : {"no-such-user-here", "0", ""}) {
    CAPTURE(name);
    const auto user = UserDirectory(platform::read_user, kPatient).find(name);
    REQUIRE_FALSE(user);
    CHECK(user.error().code == Errc::not_found);
    CHECK(user.error().message == "there is no user '" + std::string(name) + "' on this machine");
  }
}

TEST_CASE("an answer is kept for a while, and asked for anew then") {
  const auto database = std::make_shared<Database>();
  auto keeping = directory_of(database, kPatient);
  CHECK(keeping.find("ann")->uid == 1000);
  CHECK_FALSE(keeping.find("no-one"));
  database->set_uid(1001);
  CHECK(keeping.find("ann")->uid == 1000);
  CHECK_FALSE(keeping.find("no-one"));
  CHECK(database->asked() == 2);
  auto forgetting = directory_of(database, {kNone, kNone, kLong});
  CHECK(forgetting.find("ann")->uid == 1001);
  database->set_uid(1002);
  CHECK(forgetting.find("ann")->uid == 1002);
  CHECK(forgetting.find("ann")->home == "/home/ann");
}

TEST_CASE("a user who was there a while ago is told at once, and asked for behind that") {
  const auto database = std::make_shared<Database>();
  auto directory = directory_of(database, {kNone, kLong, kLong});
  CHECK(directory.find("ann")->uid == 1000);
  database->set_uid(1001);
  database->hold(true);
  for (int i = 0; i < 20; ++i) CHECK(directory.find("ann")->uid == 1000);
  database->hold(false);
  CHECK(eventually([&] { return directory.find("ann")->uid == 1001; }));
}

TEST_CASE("a database that hangs is waited for once, not for every task") {
  const auto database = std::make_shared<Database>();
  auto directory = directory_of(database, {kNone, kNone, milliseconds{200}});
  REQUIRE(eventually([&] { return directory.find("ann").has_value(); }));
  database->hold(true);
  const auto late = directory.find("bob");
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::unavailable);
  CHECK(late.error().message == "the user database does not answer when asked for user 'bob'");
  CHECK(directory.find("ann")->name == "ann");
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 10'000; ++i) REQUIRE_FALSE(directory.find("bob"));
  for (int i = 0; i < 10'000; ++i) REQUIRE(directory.find("ann"));
  for (int i = 0; i < 100; ++i) REQUIRE_FALSE(directory.find("user" + std::to_string(i)));
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds{30});
  database->hold(false);
  CHECK(eventually([&] { return directory.find("bob").has_value(); }));
}

TEST_CASE("that a database cannot tell now is no answer to keep, and no reason to forget a user") {
  const auto database = std::make_shared<Database>();
  auto directory = directory_of(database, {kNone, kNone, kLong});
  REQUIRE(directory.find("ann"));
  database->break_it(true);
  CHECK(directory.find("ann")->name == "ann");
  CHECK(database->asked() == 2);
  auto keeping = directory_of(database, kPatient);
  REQUIRE_FALSE(keeping.find("bob"));
  CHECK(keeping.find("bob").error().code == Errc::unavailable);
  database->break_it(false);
  CHECK(eventually([&] { return keeping.find("bob").has_value(); }));
}

TEST_CASE("a directory may go while its database is silent") {
  const auto database = std::make_shared<Database>();
  database->hold(true);
  CHECK_FALSE(directory_of(database, {kLong, kLong, milliseconds{1}}).find("ann"));
  database->hold(false);
}

TEST_CASE("more users than are kept are no trouble") {
  const auto database = std::make_shared<Database>();
  auto directory = directory_of(database, kPatient);
  for (int i = 0; i < 2500; ++i) REQUIRE(directory.find("user" + std::to_string(i)));
  CHECK(directory.find("user2499"));
  CHECK(database->asked() == 2500);
}
