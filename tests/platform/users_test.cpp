#include "platform/users.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

using namespace hakuriver;
using platform::User;
using platform::UserDirectory;
using std::chrono::milliseconds;

namespace {

constexpr std::chrono::hours kLong{1};

// A user database that can be held up.
class Database {
 public:
  Result<User> read(const std::string& name) {
    std::unique_lock lock(mutex_);
    ++asked_;
    changed_.wait(lock, [this] { return !is_held_; });
    if (name.starts_with("no-")) return Error{Errc::not_found, "no " + name};
    return User{name, uid_, 7, {7, 8}, "/home/" + name, "/bin/sh"};
  }
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    is_held_ = held;
    changed_.notify_all();
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
  std::uint32_t uid_ = 1000;
  int asked_ = 0;
};

UserDirectory directory_of(const std::shared_ptr<Database>& database, milliseconds kept, milliseconds patience) {
  return UserDirectory([database](const std::string& name) { return database->read(name); }, kept, patience);
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
  CHECK(*UserDirectory().find("root") == *root);
}

TEST_CASE("a user who is not there is named") {
  for (const char* name : {"no-such-user-here", "0", ""}) {
    CAPTURE(name);
    const auto user = UserDirectory().find(name);
    REQUIRE_FALSE(user);
    CHECK(user.error().code == Errc::not_found);
    CHECK(user.error().message == "there is no user '" + std::string(name) + "' on this machine");
  }
}

TEST_CASE("an answer is kept for a while, and asked for anew then") {
  const auto database = std::make_shared<Database>();
  auto keeping = directory_of(database, kLong, kLong);
  CHECK(keeping.find("ann")->uid == 1000);
  CHECK_FALSE(keeping.find("no-one"));
  database->set_uid(1001);
  CHECK(keeping.find("ann")->uid == 1000);
  CHECK_FALSE(keeping.find("no-one"));
  CHECK(database->asked() == 2);
  auto forgetting = directory_of(database, milliseconds{0}, kLong);
  CHECK(forgetting.find("ann")->uid == 1001);
  database->set_uid(1002);
  CHECK(forgetting.find("ann")->uid == 1002);
  CHECK(forgetting.find("ann")->home == "/home/ann");
}

TEST_CASE("a database that does not answer is not waited for, and what it said before counts") {
  const auto database = std::make_shared<Database>();
  auto directory = directory_of(database, milliseconds{0}, milliseconds{20});
  while (!directory.find("ann")) {
  }
  database->hold(true);
  const auto late = directory.find("bob");
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::unavailable);
  CHECK(late.error().message == "the user database does not answer when asked for user 'bob'");
  CHECK(directory.find("ann")->name == "ann");
  // Those who ask while it is silent do not each take a thread.
  for (int i = 0; i < 5; ++i) CHECK_FALSE(directory.find("bob"));
  CHECK(database->asked() <= 4);
  database->hold(false);
  while (!directory.find("bob")) {
  }
  CHECK(directory.find("bob")->name == "bob");
}

TEST_CASE("a directory may go while its database is silent") {
  const auto database = std::make_shared<Database>();
  database->hold(true);
  CHECK_FALSE(directory_of(database, kLong, milliseconds{1}).find("ann"));
  database->hold(false);
}

TEST_CASE("more users than are kept are no trouble") {
  const auto database = std::make_shared<Database>();
  auto directory = directory_of(database, kLong, kLong);
  for (int i = 0; i < 2500; ++i) REQUIRE(directory.find("user" + std::to_string(i)));
  CHECK(directory.find("user2499"));
  CHECK(database->asked() == 2500);
}
