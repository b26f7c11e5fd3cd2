// What started a task, as its record says it.
#pragma once

#include <string>
#include <vector>

#include "hakuriver/views.hpp"

namespace hakuriver::service {

// `launcher` and `enforced` are its node's. A container is its engine's, which limits cores and memory, whatever the
// node does with other tasks.
inline void set_launcher(TaskView& view, const std::string& launcher, const std::vector<std::string>& enforced) {
  view.launcher = launcher;
  view.enforced = enforced;
  if (view.spec->container.empty() || launcher.empty()) return;
  view.launcher = "docker";
  std::erase_if(view.enforced, [](const std::string& what) { return what == "cores" || what == "memory"; });
  view.enforced.insert(view.enforced.begin(), {"cores", "memory"});
}

}  // namespace hakuriver::service
