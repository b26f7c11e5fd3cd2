#include "container/superseded.hpp"

#include <doctest/doctest.h>

#include <map>

#include "container/messages.hpp"
#include "scripted_socket.hpp"
#include "task_rig.hpp"

using namespace hakuriver;
using namespace hakuriver::container;
using namespace hakuriver::test;

namespace {

using References = std::vector<std::string>;

References of_box(const std::vector<int>& versions) {
  References references;
  for (const int version : versions) references.push_back("hakuriver/box:" + std::to_string(version));
  return references;
}

TEST_CASE("what goes when a version has come") {
  struct Row {
    std::string what;
    References here;
    std::uint64_t loaded;
    Packaged packaged;
    std::uint32_t keep;
    References gone;
  };
  const std::vector<Row> rows{
      {"the newest other one stays", of_box({5, 6, 7}), 7, {7, 7}, 2, of_box({5})},
      {"there is no other one", of_box({7}), 7, {7, 7}, 2, {}},
      {"after a roll-back", of_box({4, 5, 6, 7}), 5, {5, 7}, 2, of_box({4, 6})},
      {"an old one for a task that waited", of_box({3, 5, 6, 7}), 3, {7, 7}, 2, of_box({5, 6})},
      {"the current one stays besides", of_box({3, 4, 7}), 3, {4, 7}, 1, of_box({7})},
      {"only the loaded and the current one", of_box({5, 6, 7}), 7, {7, 7}, 1, of_box({5, 6})},
      {"more are kept", of_box({4, 5, 6, 7}), 7, {7, 7}, 3, of_box({4})},
      {"all are kept", of_box({4, 5, 6, 7}), 7, {7, 7}, 0, {}},
      {"one that is being packaged stays", of_box({6, 7, 8}), 6, {7, 7}, 1, {}},
      {"a few at a time, the oldest first", of_box({1, 2, 3, 4, 5, 6, 7}), 7, {7, 7}, 1, of_box({1, 2, 3, 4})},
      {"as engines spell them",
       {"localhost/hakuriver/box:5", "docker.io/hakuriver/box:5", "hakuriver/box:5"},
       7,
       {7, 7},
       1,
       {"docker.io/hakuriver/box:5", "hakuriver/box:5", "localhost/hakuriver/box:5"}},
      {"what is not ours",
       {"hakuriver/box:base", "hakuriver/box:05", "hakuriver/box:5a", "hakuriver/box:<none>", "hakuriver/boxes:5",
        "hakuriver/other:5", "box:5", "reg:5000/hakuriver/box:5", "nothakuriver/box:5", "hakuriver/box",
        "<none>:<none>", "my/hakuriver/box:5", "localhost:5/hakuriver/box:5", ""},
       7,
       {7, 7},
       1,
       {}}};
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(find_superseded(row.here, {"box", row.loaded}, row.packaged, row.keep) == row.gone);
  }
}

class Versions final : public FakeEngine {
 public:
  Result<References> references(const std::string& repository) override {
    said.push_back("references " + repository);
    return of_box({4, 5, 6, 7});
  }
  Status remove_image(const std::string& reference) override {
    said.push_back("remove " + reference);
    const auto refused = refusals.find(reference);
    return refused == refusals.end() ? Status(Unit{}) : Status(Error{refused->second, "no"});
  }
  std::map<std::string, Errc> refusals;
};

struct Place {
  ScratchDirectory directory;
  ImageSource source{directory / "packages", directory / "locks", "box@7", {}, {}, 1};
  Place() { directory.write("packages/box-7.tar", "tar"); }

  References said_of(std::map<std::string, Errc> refusals = {}) const {
    Versions engine;
    engine.refusals = std::move(refusals);
    remove_superseded(engine, source);
    return engine.said;
  }
};

TEST_CASE("what a container uses stays and the others go, and an engine that fails is left alone") {
  const References all{"references hakuriver/box", "remove hakuriver/box:4", "remove hakuriver/box:5",
                       "remove hakuriver/box:6"};
  const Place place;
  CHECK(place.said_of() == all);
  CHECK(place.said_of({{"hakuriver/box:4", Errc::conflict}, {"hakuriver/box:5", Errc::not_found}}) == all);
  CHECK(place.said_of({{"hakuriver/box:4", Errc::unavailable}}) == References(all.begin(), all.begin() + 2));
}

TEST_CASE("nothing goes where nobody knows what is needed, or all is to be kept") {
  Place place;
  place.source.keep_versions = 0;
  CHECK(place.said_of().empty());
  place.source.keep_versions = 1;
  place.directory.write("packages/box.current", "9\n");  // which is not there
  CHECK(place.said_of().empty());
  place.directory.write("packages/box.current", "7\n");
  CHECK_FALSE(place.said_of().empty());
  place.source.package.clear();
  CHECK(place.said_of().empty());
  place.source = {place.directory / "none", {}, "box@7", {}, {}, 1};
  CHECK(place.said_of().empty());
}

TEST_CASE("a list of images is read, and is garbage where it is garbage") {
  CHECK(*decode_references(
            R"([{"Id":"1","RepoTags":["a:1","b:2"]},{"RepoTags":null},{"Id":"3"},{"RepoTags":["c:3"]}])") ==
        References{"a:1", "b:2", "c:3"});
  CHECK(decode_references("[]")->empty());
  for (const std::string bad : {"", "{}", "[", "[{\"RepoTags\":[\"a\"]}", "null"}) CHECK_FALSE(decode_references(bad));
}

TEST_CASE("images are listed and removed by an engine's socket without force") {
  const std::string version = answer(200, R"({"ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux"})");
  ScriptedSocket socket({{version, answer(200, R"([{"RepoTags":["hakuriver/box:5"]}])"), answer(200, "[]"),
                          answer(409, R"({"message":"conflict: a container is using its referenced image"})")}});
  const auto engine = open_api_engine(socket.path());
  REQUIRE(engine);
  CHECK(*(*engine)->references("hakuriver/box") == References{"hakuriver/box:5"});
  CHECK((*engine)->remove_image("hakuriver/box:5"));
  CHECK((*engine)->remove_image("localhost/hakuriver/box:5").error().code == Errc::conflict);
  const auto asked = socket.asked();
  REQUIRE(asked.size() == 4);
  CHECK(asked[1] == "GET /v1.41/images/json?filters=%7B%22reference%22%3A%5B%22hakuriver%2Fbox%22%5D%7D HTTP/1.1");
  CHECK(asked[2] == "DELETE /v1.41/images/hakuriver/box%3A5 HTTP/1.1");
  CHECK(asked[3] == "DELETE /v1.41/images/localhost/hakuriver/box%3A5 HTTP/1.1");
}

TEST_CASE("an image that goes before the container has it is brought again") {
  struct Row {
    int failures;
    Errc code;
    int creations;
    bool runs;
  };
  for (const auto& row : std::vector<Row>{{1, Errc::not_found, 2, true},
                                          {2, Errc::not_found, 3, true},
                                          {9, Errc::not_found, 3, false},
                                          {1, Errc::conflict, 1, false}}) {
    CAPTURE(row.failures);
    Rig rig;
    int creations = 0;
    rig.engine.while_creating = [&] {
      if (++creations <= row.failures) return Status(Error{row.code, "No such image: my-env"});
      rig.engine.state_.status = "created";
      return Status(Unit{});
    };
    CHECK(rig.run().message.empty() == row.runs);
    CHECK(creations == row.creations);
  }
}

}  // namespace
