#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "cli/client.hpp"
#include "cli/scripted_host.hpp"
#include "support/scratch_directory.hpp"
#include "wire/people.hpp"

namespace hakuriver::cli {
namespace {

TEST_CASE("an order is confirmed in one clear line") {
  struct Row {
    std::vector<std::string> words;
    const char* route;
    CommandAnswer answer;
    const char* line;
  };
  for (const auto& row :
       std::vector<Row>{{{"--kill", "7"}, "POST /api/v1/tasks/7/kill", {0, 1}, "7: kill requested"},
                        {{"--kill", "7"}, "POST /api/v1/tasks/7/kill", {1, 0}, "7: ended before it started"},
                        {{"--kill-pending", "7"},
                         "POST /api/v1/tasks/7/kill-pending",
                         {3, 2},
                         "7: end before their start requested for 2 tasks, 3 tasks ended before they started"},
                        {{"--kill", "7"},
                         "POST /api/v1/tasks/7/kill",
                         {1, 2},
                         "7: kill requested for 2 tasks, 1 task ended before it started"},
                        {{"--pause", "7"}, "POST /api/v1/tasks/7/pause", {0, 3}, "7: pause requested for 3 tasks"},
                        {{"--drain", "n"},
                         "POST /api/v1/nodes/n/drain",
                         {1, 0},
                         "node 'n' is drained: what runs there goes on, and nothing more is started"},
                        {{"--undrain", "n"}, "POST /api/v1/nodes/n/undrain", {1, 0}, "node 'n' takes tasks again"},
                        {{"--forget-node", "n"},
                         "POST /api/v1/nodes/n/forget",
                         {1, 0},
                         "node 'n' is forgotten: the tasks that it held have failed"}}) {
    const test::ScratchDirectory home;
    test::ScriptedHost host;
    host.answer(row.route, {{.status = 202, .body = wire::encode(row.answer)}});
    std::ostringstream out;
    std::ostringstream err;
    CHECK(client_program(row.words, {"HOME=" + home.path(), "HAKURIVER_HOST=" + host.url()}, {out, err}) == 0);
    CHECK(out.str().empty());
    CHECK(err.str() == std::string("hakuriver.client: ") + row.line + "\n");
  }
}

}  // namespace
}  // namespace hakuriver::cli
