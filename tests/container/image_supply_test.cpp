#include "container/image_supply.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "container/messages.hpp"
#include "environment/manifest.hpp"
#include "environment/sha256.hpp"
#include "hakuriver/environment.hpp"
#include "scripted_socket.hpp"
#include "task_rig.hpp"

using namespace hakuriver;
using namespace hakuriver::container;
using namespace hakuriver::test;

namespace {

// What all engines of a node share.
struct Node {
  std::mutex mutex;
  std::set<std::string> images;
  std::vector<std::string> said;
  std::map<std::string, std::string> tars;  // path, the reference that is in it
  std::function<Status(const std::string& reference)> registry = [](const std::string&) { return Status(Unit{}); };
};

class NodeEngine final : public FakeEngine {
 public:
  explicit NodeEngine(Node& node) : node_(node) {}

  Result<Image> image(const std::string& reference) override {
    const std::lock_guard lock(node_.mutex);
    if (node_.images.count(reference) == 0) return Error{Errc::not_found, "no such image"};
    return Image{"sha256:" + reference, {}, {}};
  }
  Result<std::vector<std::string>> load(const std::string& path) override {
    const std::lock_guard lock(node_.mutex);
    node_.said.push_back("load");
    const auto found = node_.tars.find(path);
    if (found == node_.tars.end()) return Error{Errc::invalid_argument, "unexpected EOF"};
    node_.images.insert(found->second);
    return std::vector<std::string>{found->second};
  }
  Status pull(const std::string& reference) override {
    const std::lock_guard lock(node_.mutex);
    node_.said.push_back("pull " + reference);
    const auto pulled = node_.registry(reference);
    if (pulled) node_.images.insert(reference);
    return pulled;
  }
  Status tag(const std::string& image, const std::string& reference) override {
    const std::lock_guard lock(node_.mutex);
    node_.said.push_back("tag " + image + " " + reference);
    node_.images.insert(reference);
    return Unit{};
  }

 private:
  Node& node_;
};

struct Place {
  ScratchDirectory directory;
  Node node;
  ImageSource source{directory / "packages", directory / "locks", "box@7"};

  void put(const std::string& tar, const std::string& hashed, const std::string& reference = "hakuriver/box:7") {
    node.tars[directory.write("packages/box-7.tar", tar)] = reference;
    if (hashed.empty()) return;
    directory.write(
        "packages/box-7.json",
        environment::encode_manifest({{"box", 7}, environment::sha256_of(hashed), hashed.size(), {}, {}, {}}));
  }
  Result<Image> supply(const std::string& reference = "hakuriver/box:7") {
    NodeEngine engine(node);
    return supply_image(engine, reference, source);
  }
};

TEST_CASE("an image that is here is asked of nobody") {
  Place place;
  place.node.images = {"hakuriver/box:7"};
  CHECK(place.supply()->id == "sha256:hakuriver/box:7");
  CHECK(place.node.said.empty());
}

TEST_CASE("a package that is missed by many at once is loaded once") {
  Place place;
  place.put("tar", "tar");
  std::vector<std::thread> tasks;
  std::vector<int> found(16, 0);
  for (auto& one : found) tasks.emplace_back([&place, &one] { one = place.supply() ? 1 : 0; });
  for (auto& task : tasks) task.join();
  CHECK(std::count(found.begin(), found.end(), 1) == 16);
  CHECK(place.node.said == std::vector<std::string>{"load"});
}

TEST_CASE("whose fault it is that there is no image") {
  struct Row {
    std::string tar, hashed, reference;
    Errc code;
    std::string told;
  };
  const std::vector<Row> rows{
      {"ta", "tar", "hakuriver/box:7", Errc::io, "has 2 bytes, and not 3"},
      {"rat", "tar", "hakuriver/box:7", Errc::io, "its digest is not the one"},
      {"tar", "tar", "hakuriver/other:7", Errc::io, "does not hold image 'hakuriver/box:7'"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.told);
    Place place;
    place.put(row.tar, row.hashed, row.reference);
    const auto image = place.supply();
    REQUIRE_FALSE(image);
    CHECK(image.error().code == row.code);
    CHECK(image.error().message.find(row.told) != std::string::npos);
  }
  Place place;
  CHECK(place.supply().error().code == Errc::not_found);
  place.directory.write("packages/box-7.tar", "torn");  // of another age, which only the engine can judge
  CHECK(place.supply().error().code == Errc::io);
  CHECK(place.supply().error().message.find("unexpected EOF") != std::string::npos);
}

TEST_CASE("a package of old has the one name that all versions had, and gets its own") {
  Place place;
  place.put("tar", "", "localhost/hakuriver/box:base");
  CHECK(place.supply());
  CHECK(place.node.said == std::vector<std::string>{"load", "tag hakuriver/box:base hakuriver/box:7"});
}

TEST_CASE("images of registries are pulled, ours never are") {
  Place place;
  place.source.package.clear();
  CHECK(place.supply("python:3.12"));
  CHECK(place.supply("python:3.12"));
  CHECK(place.node.said == std::vector<std::string>{"pull python:3.12"});
  const auto own = place.supply("hakuriver/box:base");
  REQUIRE_FALSE(own);
  CHECK(own.error().message == "image 'hakuriver/box:base' is not on this node");
  CHECK(own.error().code == Errc::not_found);
  for (const auto code : {Errc::not_found, Errc::denied, Errc::io, Errc::unavailable}) {
    place.node.registry = [code](const std::string&) { return Status(Error{code, "it says no"}); };
    const auto image = place.supply("other:1");
    REQUIRE_FALSE(image);
    CHECK(image.error().code == code);
    CHECK(image.error().message == "image 'other:1': it says no");
  }
  CHECK(place.node.said.size() == 5);
}

TEST_CASE("what registries say") {
  CHECK(code_of_pull("manifest for x:1 not found: manifest unknown", Errc::io) == Errc::not_found);
  CHECK(code_of_pull("pull access denied for x, repository does not exist", Errc::io) == Errc::not_found);
  CHECK(code_of_pull("denied: requested access to the resource is denied", Errc::io) == Errc::denied);
  CHECK(code_of_pull("unauthorized: authentication required", Errc::io) == Errc::denied);
  CHECK(code_of_pull("dial tcp: lookup registry-1.docker.io: no such host", Errc::io) == Errc::io);
}

TEST_CASE("what an engine tells as it goes is read line by line, in any pieces, and what is garbage is not") {
  const std::string text =
      "{\"status\":\"Pulling\",\"progressDetail\":{}}\r\n"
      "garbage\r\n\r\n" +
      std::string(100'000, '[') +
      "\n{\"stream\":\"Loaded image: a:1\\n\"}\n{\"stream\":\"Loaded image ID: sha256:2\\n\"}\n"
      "{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no\"}\n{\"error\":\"later\"}\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, text.size()}) {
    Progress progress;
    for (std::size_t at = 0; at < text.size(); at += piece) progress.take(std::string_view(text).substr(at, piece));
    CHECK(progress.error() == "no");
    CHECK(progress.loaded() == std::vector<std::string>{"a:1"});
  }
}

const std::string kVersion = answer(200, R"({"ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux"})");

TEST_CASE("a tar goes to the engine as it is, and what it says of it comes back") {
  const ScratchDirectory directory;
  const std::string tar = directory.write("box.tar", std::string(1'000'000, 't'));
  ScriptedSocket socket(
      {{kVersion, answer(200, "{\"stream\":\"Loaded image: hakuriver/box:7\\n\"}\n"),
        answer(200, "{\"errorDetail\":{\"message\":\"torn\"},\"error\":\"torn\"}"), answer(201, "")}});
  const auto engine = open_api_engine(socket.path());
  REQUIRE(engine);
  const auto loaded = (*engine)->load(tar);
  REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
  CHECK(*loaded == std::vector<std::string>{"hakuriver/box:7"});
  const auto torn = (*engine)->load(tar);
  REQUIRE_FALSE(torn);
  CHECK(torn.error().message == "torn");
  CHECK((*engine)->tag("hakuriver/box:base", "hakuriver/box:7"));
  REQUIRE(::mkfifo((directory / "pipe").c_str(), 0666) == 0);
  CHECK((*engine)->load(directory / "none").error().code == Errc::io);
  CHECK((*engine)->load(directory / "pipe").error().message.ends_with("is not a regular file"));
  CHECK(open_command_engine({"/bin/true", {}, {}}, directory.path())->load(directory / "pipe").error().code ==
        Errc::io);
  CHECK(socket.asked() ==
        std::vector<std::string>{"GET /version HTTP/1.1", "POST /v1.41/images/load?quiet=1 HTTP/1.1",
                                 "POST /v1.41/images/load?quiet=1 HTTP/1.1",
                                 "POST /v1.41/images/hakuriver/box%3Abase/tag?repo=hakuriver%2Fbox&tag=7 HTTP/1.1"});
}

TEST_CASE("a pull asks for one image, and its failure is behind a good status") {
  ScriptedSocket socket({{kVersion, answer(200, "{\"status\":\"Pulling\"}\n"), answer(200, ""),
                          answer(200, "{\"status\":\"x\"}\n{\"error\":\"manifest unknown\"}\n"),
                          answer(500, "{\"message\":\"lookup failed\"}")}});
  const auto engine = open_api_engine(socket.path());
  REQUIRE(engine);
  CHECK((*engine)->pull("localhost:5000/a"));
  CHECK((*engine)->pull("a@sha256:00"));
  CHECK((*engine)->pull("a:2").error().code == Errc::not_found);
  const auto failed = (*engine)->pull("a:2");
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::io);
  CHECK(failed.error().message == "lookup failed");
  const auto asked = socket.asked();
  REQUIRE(asked.size() == 5);
  CHECK(asked[1] == "POST /v1.41/images/create?fromImage=localhost%3A5000%2Fa&tag=latest HTTP/1.1");
  CHECK(asked[2] == "POST /v1.41/images/create?fromImage=a%40sha256%3A00 HTTP/1.1");
}

}  // namespace
