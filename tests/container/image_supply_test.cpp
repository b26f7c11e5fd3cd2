#include "container/image_supply.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
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
#include "task_rig.hpp"

using namespace hakuriver;
using namespace hakuriver::container;
using namespace hakuriver::test;

namespace {

// One entry of a tar, as `docker save` writes it.
std::string tar_entry(const std::string& name, const std::string& text, char type = '0') {
  std::string block(512, '\0');
  name.copy(block.data(), 100);
  std::string size(11, '0');
  for (std::size_t i = 11, rest = text.size(); rest != 0; rest /= 8) size[--i] = static_cast<char>('0' + rest % 8);
  size.copy(&block[124], 11);
  block[156] = type;
  std::string("ustar\00000", 8).copy(&block[257], 8);
  return block + text + std::string((512 - text.size() % 512) % 512, '\0');
}

// A manifest.json of one image with these references: "\"a:1\",\"b:2\"".
std::string manifest_of(const std::string& references) {
  return R"([{"Config":"1.json","RepoTags":[)" + references + R"(],"Layers":["1/layer.tar"]}])";
}

std::string tar_of(const std::string& reference) {
  return tar_entry("1/", "", '5') + tar_entry("1/layer.tar", std::string(700, 'l')) +
         tar_entry("manifest.json", manifest_of("\"" + reference + "\"")) + std::string(1024, '\0');
}

// What all engines of a node share.
struct Node {
  std::mutex mutex;
  std::set<std::string> images;
  std::vector<std::string> said;
  bool is_met = false;  // whoever loads gives another one a moment to do the same
  std::condition_variable loads;
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
    std::unique_lock lock(node_.mutex);
    node_.said.push_back("load");
    node_.loads.notify_all();
    const auto has_two = [this] { return std::count(node_.said.begin(), node_.said.end(), "load") > 1; };
    if (node_.is_met) node_.loads.wait_for(lock, std::chrono::milliseconds(200), has_two);
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

  // A package of version 7, `is_old`: without a manifest beside it.
  void put(const std::string& tar, bool is_old = false, const std::string& reference = "hakuriver/box:7") {
    node.tars[directory.write("packages/box-7.tar", tar)] = reference;
    if (!is_old) put_manifest(tar);
  }
  void put_manifest(const std::string& tar) const {
    directory.write("packages/box-7.json",
                    environment::encode_manifest({{"box", 7}, environment::sha256_of(tar), tar.size(), {}, {}, {}}));
  }
  Result<SuppliedImage> supply(const std::string& reference = "hakuriver/box:7") {
    NodeEngine engine(node);
    return supply_image(engine, reference, source);
  }
};

TEST_CASE("an image that is here is asked of nobody") {
  Place place;
  place.node.images = {"hakuriver/box:7"};
  CHECK(place.supply()->image.id == "sha256:hakuriver/box:7");
  CHECK_FALSE(place.supply()->is_brought);
  CHECK(place.node.said.empty());
}

TEST_CASE("a package that is missed by many at once is loaded once") {
  Place place;
  place.put(tar_of("hakuriver/box:7"));
  std::vector<std::thread> tasks;
  std::vector<int> found(16, 0);
  for (auto& one : found) tasks.emplace_back([&place, &one] { one = place.supply() ? 1 : 0; });
  for (auto& task : tasks) task.join();
  CHECK(std::count(found.begin(), found.end(), 1) == 16);
  CHECK(place.node.said == std::vector<std::string>{"load"});
}

TEST_CASE("whose fault it is that there is no image") {
  const std::string whole = tar_of("hakuriver/box:7");
  Place place;
  CHECK(place.supply().error().code == Errc::not_found);
  place.put(whole);
  place.put_manifest(whole + "x");
  CHECK(place.supply().error().message.find("is damaged: it has") != std::string::npos);
  place.put_manifest(std::string(whole.size(), 'x'));
  CHECK(place.supply().error().message.find("its digest is not the one") != std::string::npos);
  CHECK(place.supply().error().code == Errc::io);
  CHECK(place.node.said.empty());
  place.put(whole);
  place.node.tars.clear();
  CHECK(place.supply().error().code == Errc::io);
  CHECK(place.supply().error().message.find("unexpected EOF") != std::string::npos);
}

TEST_CASE("a package holds its one image, or the engine never sees it") {
  const auto manifest = [](const std::string& text) { return tar_entry("manifest.json", text); };
  const std::string good = manifest_of("\"hakuriver/box:7\"");
  const std::string base = manifest_of("\"python:3.12\"");
  const std::string record = "22 path=manifest.json\n";
  const auto index = [](const std::string& images) {
    return tar_entry("index.json", R"({"schemaVersion":2,"manifests":[)" + images + "]}");
  };
  const auto indexed = [](const std::string& key, const std::string& name) {
    return R"({"mediaType":"m","digest":"sha256:0","size":1,"annotations":{")" + key + "\":\"" + name + "\"}}";
  };
  const std::string full = "io.containerd.image.name";
  const std::string other = indexed(full, "docker.io/library/python:3.12");
  const std::string ours = indexed(full, "docker.io/hakuriver/box:7");
  struct Row {
    std::string tar;
    bool is_old;
    std::string told;  // empty: it is loaded
  };
  const std::vector<Row> rows{
      {tar_of("hakuriver/box:7"), false, ""},
      {tar_of("localhost/hakuriver/box:7"), false, ""},
      {tar_of("hakuriver/box:base"), true, ""},
      {tar_entry("L", std::string("manifest.json", 14), 'L') + tar_entry("x", good), false, ""},
      {tar_entry("P", record, 'x') + tar_entry("x", good), false, ""},
      {tar_entry("G", "9 a=bcd\n", 'g') + manifest(good), false, ""},
      {tar_entry("L", std::string("manifest.json", 14), 'L') + tar_entry("P", record, 'x') + tar_entry("x", good),
       false, "a file in it has two names"},
      {manifest(good) + index(ours), false, ""},
      {manifest(good) + index(indexed("org.opencontainers.image.ref.name", "7")), false, ""},
      {manifest(good) + index(R"({"mediaType":"m","digest":"sha256:0","size":1})"), false, ""},
      {manifest(good) + index(other), false, "not 'docker.io/library/python:3.12'"},
      {manifest(good) + index(ours + "," + other), false, "expected one image in 'index.json', not 2"},
      {manifest(good) + index(indexed("org.opencontainers.image.ref.name", "python:3.12")), false, "'python:3.12'"},
      {manifest(good) + index(ours) + index(other), false, "it has another index.json"},
      {index(ours), false, "it has no 'manifest.json'"},
      {tar_of("hakuriver/box:base"), false, "expected image 'hakuriver/box:7' alone in it, not 'hakuriver/box:base'"},
      {tar_of("hakuriver/other:7"), true, "alone in it, not 'hakuriver/other:7'"},
      {tar_of("nothakuriver/box:7"), false, "alone in it, not 'nothakuriver/box:7'"},
      {manifest(manifest_of("\"hakuriver/box:7\",\"python:3.12\"")), false, "'hakuriver/box:7', 'python:3.12'"},
      {manifest(manifest_of("")), false, "not one without a name"},
      {manifest("[" + good.substr(1, good.size() - 2) + "," + base.substr(1)), false,
       "expected one image in 'manifest.json', not 2"},
      {manifest("[]"), false, "expected one image in 'manifest.json', not 0"},
      {manifest("{}"), false, "manifest.json"},
      {manifest(R"([{"Config":"1","RepoTags":["hakuriver/box:7"],"repotags":["python:3.12"],"Layers":[]}])"), false,
       "no member 'repotags'"},
      {manifest(R"([{"Config":"1","RepoTags":["hakuriver/box:7"],"RepoTags":["python:3.12"],"Layers":[]}])"), false,
       "once"},
      {manifest(good) + manifest(base), false, "it has another manifest.json"},
      {manifest(good) + tar_entry("./x/../manifest.json", base), false, "it has another manifest.json"},
      {manifest(good) + tar_entry("P", record, 'x') + tar_entry("y", base), false, "it has another manifest.json"},
      {manifest(good) + tar_entry("self", "", '2') + tar_entry("self/manifest.json", base), false, "another"},
      {tar_entry("manifest.json", "", '2'), false, "it has another manifest.json"},
      {tar_entry("repositories", "{}"), false, "it has no 'manifest.json'"},
      {"", false, "it has no 'manifest.json'"},
      {std::string(512, 'x'), false, "it is no tar"},
      {manifest(good).substr(0, 560), false, "it ends in the middle"},
      {manifest(good).substr(0, 100), false, "it ends in the middle"},
      {tar_entry("P", "999999 path=x\n", 'x') + manifest(good), false, "a header in it is none"},
      {tar_entry("manifest.json", std::string(2 << 20, ' ')), false, "too large"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.told);
    Place place;
    place.put(row.tar, row.is_old);
    const auto image = place.supply();
    CHECK(image.has_value() == row.told.empty());
    CHECK(place.node.said.empty() == !row.told.empty());
    if (image) continue;
    CHECK(image.error().code == Errc::io);
    CHECK(image.error().message.find("is damaged") != std::string::npos);
    CHECK_MESSAGE(image.error().message.find(row.told) != std::string::npos, image.error().message);
  }
}

TEST_CASE("a directory of packages that everybody can fill is the node's fault, and nothing of it is loaded") {
  Place place;
  place.put(tar_of("hakuriver/box:7"));
  REQUIRE(::chmod(place.source.packages.c_str(), 0777) == 0);
  CHECK(place.supply().error().code == Errc::conflict);
  CHECK(place.node.said.empty());
  REQUIRE(::chmod(place.source.packages.c_str(), 0755) == 0);
  CHECK(place.supply());
}

TEST_CASE("what is no reference is refused in words, and asked of nobody") {
  Place place;
  place.source.package.clear();
  for (const std::string bad : {"hakuriver/My_Env:base", "../containers/x", "a b:1"}) {
    const auto image = place.supply(bad);
    REQUIRE_FALSE(image);
    CHECK(image.error() == Error{Errc::invalid_argument, "image '" + bad + "': expected such as python:3.12"});
  }
  place.node.registry = [](const std::string&) { return Status(Error{Errc::io, ""}); };
  CHECK(place.supply("other:1").error().message == "image 'other:1': the engine does not say why");
}

TEST_CASE("a package of old has the one name that all versions had, and gets its own") {
  Place place;
  place.put(tar_of("hakuriver/box:base"), true, "hakuriver/box:base");
  CHECK(place.supply());
  CHECK(place.node.said == std::vector<std::string>{"load", "tag hakuriver/box:base hakuriver/box:7"});
}

TEST_CASE("a package that podman made gets the name that it has without a registry") {
  Place place;
  const std::string name = "localhost/hakuriver/box:7";
  place.put(tar_of(name), false, name);
  CHECK(place.supply());
  CHECK(place.node.said == std::vector<std::string>{"load", "tag " + name + " hakuriver/box:7"});
}

TEST_CASE("two packages of old of one environment are not loaded at once") {
  Place place;
  for (const std::string version : {"7", "8"}) {
    const std::string path = place.directory.write("packages/box-" + version + ".tar", tar_of("hakuriver/box:base"));
    place.node.tars[path] = "hakuriver/box:base";
  }
  place.node.is_met = true;
  std::thread other([&place] {
    NodeEngine engine(place.node);
    CHECK(supply_image(engine, "hakuriver/box:8", {place.source.packages, place.source.locks, "box@8"}));
  });
  CHECK(place.supply());
  other.join();
  REQUIRE(place.node.said.size() == 4);
  for (const std::size_t load : {0U, 2U}) {
    CHECK(place.node.said[load] == "load");
    CHECK(place.node.said[load + 1].starts_with("tag hakuriver/box:base "));
  }
}

TEST_CASE("images of registries are pulled, ours never are") {
  Place place;
  place.source.package.clear();
  CHECK(place.supply("python:3.12")->is_brought);
  CHECK_FALSE(place.supply("python:3.12")->is_brought);
  CHECK(place.node.said == std::vector<std::string>{"pull python:3.12"});
  for (const std::string reference : {"hakuriver/box:7", "docker.io/hakuriver/box:7"}) {
    const auto own = place.supply(reference);
    REQUIRE_FALSE(own);
    CHECK(own.error() == Error{Errc::not_found, "image '" + reference + "' is not on this node"});
  }
  for (const auto code : {Errc::not_found, Errc::denied, Errc::unavailable}) {
    place.node.registry = [code](const std::string&) { return Status(Error{code, "it says no"}); };
    const auto image = place.supply("other:1");
    REQUIRE_FALSE(image);
    CHECK(image.error().code == code);
    CHECK(image.error().message == "image 'other:1': it says no");
  }
  CHECK(place.node.said.size() == 4);
}

TEST_CASE(
    "a pull that fails is the task's fault as long as the engine works and lacks nothing, all else is the node's") {
  struct Row {
    std::string words;
    bool answers;
    Errc code;
  };
  for (const auto& row : std::vector<Row>{
           {"dial tcp: lookup typo: no such host", true, Errc::not_found},
           {"dial tcp: lookup typo: no such host", false, Errc::io},
           {"write /var/lib/docker/tmp/x: no space left on device", true, Errc::io},
       }) {
    CAPTURE(row.words);
    Place place;
    place.source.package.clear();
    place.node.registry = [&row](const std::string&) { return Status(Error{Errc::io, row.words}); };
    NodeEngine engine(place.node);
    engine.answers = row.answers;
    const auto image = supply_image(engine, "typo/x:1", place.source);
    REQUIRE_FALSE(image);
    CHECK(image.error() == Error{row.code, "image 'typo/x:1': " + row.words});
  }
  Place place;
  place.source.package.clear();
  place.source.locks = place.directory.write("a-file", "");  // as where the node's disk is full
  const auto unlocked = place.supply("python:3.12");
  REQUIRE_FALSE(unlocked);
  CHECK(unlocked.error().code == Errc::io);
  CHECK(place.node.said.empty());
}

TEST_CASE("an environment that the task has no package of is told with what its user can do") {
  Place place;
  place.source.package.clear();
  const std::string here = "image 'hakuriver/box:base' is not on this node, and ";
  const auto told = [&place] { return place.supply("hakuriver/box:base").error(); };
  const std::string none = "no package of environment 'box' in '" + place.source.packages + "'";
  CHECK(told() == Error{Errc::not_found, here + none + ": `hakuriver.docker package box` makes one"});
  place.put(tar_of("hakuriver/box:7"));
  CHECK(told() ==
        Error{Errc::not_found, here +
                                   "the host saw no package of environment 'box' when the task was submitted: "
                                   "now 'box@7' is in '" +
                                   place.source.packages + "', submit it again"});
  REQUIRE(::chmod(place.source.packages.c_str(), 0777) == 0);
  CHECK(told().message.find("can be written to by everybody") != std::string::npos);
  REQUIRE(::chmod(place.source.packages.c_str(), 0755) == 0);
  CHECK(place.supply("hakuriver/box:8").error().message == "image 'hakuriver/box:8' is not on this node");
  place.source.packages.clear();
  CHECK(told().message == "image 'hakuriver/box:base' is not on this node");
  CHECK(place.node.said.empty());
}

}  // namespace
