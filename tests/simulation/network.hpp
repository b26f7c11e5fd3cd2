// The network between machines and the host: it drops, repeats, delays and reorders, and it parts.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "simulation/host.hpp"
#include "simulation/surroundings.hpp"

namespace hakuriver::simulation {

// The way from one machine, or one client, to the host and back.
class Link {
 public:
  Link(Surroundings& world, Host& host, std::string name) : world_(world), host_(host), name_(std::move(name)) {}

  void part(bool parted) {
    parted_ = parted;
    world_.trace.say(name_, parted ? "      is cut off from the host" : "      reaches the host again");
  }

  // Asks the host. `answered` may be called more than once, late, or not at all; `failed` likewise.
  void ask(decltype(HostEvent::what) what, microseconds timeout, std::function<void(const HostAction&)> answered,
           std::function<void()> unavailable, std::function<void(std::string)> failed) {
    const auto shared_failed = std::make_shared<std::function<void(std::string)>>(std::move(failed));
    world_.scheduler.after(timeout, [shared_failed] { (*shared_failed)("no answer in time"); });
    if (world_.fault(world_.profile.reset)) {
      world_.scheduler.after(delay(), [shared_failed] { (*shared_failed)("the connection was reset"); });
    }
    Waiter waiter;
    waiter.answered = [this, answered = std::move(answered)](const HostAction& action) {
      carry([answered, action] { answered(action); });
    };
    waiter.unavailable = [this, unavailable = std::move(unavailable)] { carry(unavailable); };
    waiter.broken = [this, shared_failed] { carry([shared_failed] { (*shared_failed)("the connection is closed"); }); };
    carry([this, what = std::move(what), waiter] { host_.receive(what, waiter); });
  }

 private:
  microseconds delay() {
    if (world_.fault(world_.profile.slow)) return world_.random.between(100ms, 40s);
    return world_.random.between(50us, 20ms);
  }

  void carry(const std::function<void()>& message) {
    if (parted_ || world_.fault(world_.profile.drop)) return;
    const int copies = world_.fault(world_.profile.repeat) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      world_.scheduler.after(delay(), [this, message] {
        if (!parted_) message();
      });
    }
  }

  Surroundings& world_;
  Host& host_;
  std::string name_;
  bool parted_ = false;
};

}  // namespace hakuriver::simulation
