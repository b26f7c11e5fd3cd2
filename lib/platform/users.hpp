// Users of this machine as its user database has them: getpwnam(3), getgrouplist(3), nsswitch.conf(5).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver::platform {

struct User {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // all of them, the one above among them
  std::string home;
  std::string shell;
  bool operator==(const User&) const = default;
};

// Asks the database, which may be on the network and take any time. not_found: there is no such user.
Result<User> read_user(const std::string& name);

// The same for a thread that has other things to do: answers are kept for a while, and a database that hangs is hardly
// waited for. From any thread.
class UserDirectory {
 public:
  using Read = std::function<Result<User>(const std::string&)>;
  struct Times {
    std::chrono::milliseconds kept = std::chrono::minutes{1};      // an answer, before the database is asked again
    std::chrono::milliseconds usable = std::chrono::hours{1};      // a user, who is told while it is asked again
    std::chrono::milliseconds patience = std::chrono::seconds{2};  // a twentieth after trouble
  };
  // `read` is called on threads of its own, also after this object is gone.
  explicit UserDirectory(Read read, Times times);
  UserDirectory() : UserDirectory(read_user, Times{}) {}

  // What the database says, or said a while ago. One who is asked for already is not waited for again. Where there is
  // no answer in time: what it said before of a user who was there, else unavailable.
  Result<User> find(const std::string& name);

 private:
  struct State;
  bool ask(const std::string& name);

  std::shared_ptr<State> state_;
};

}  // namespace hakuriver::platform
