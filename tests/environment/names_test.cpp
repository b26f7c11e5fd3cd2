#include <doctest/doctest.h>

#include "environment/manifest.hpp"
#include "environment/sha256.hpp"
#include "hakuriver/environment.hpp"

using namespace hakuriver;
using namespace hakuriver::environment;

namespace {

TEST_CASE("names are such as engines take for images") {
  for (const std::string good : {"a", "my-env", "a--b", "a.b", "a_b", "a__b", "torch2.1-cuda_12"}) {
    CAPTURE(good);
    CHECK(is_environment_name(good));
  }
  for (const std::string bad :
       {"", "-a", "a-", "a..b", "a___b", "a.-b", "A", "a b", "a/b", "a:b", "a@1", "..", ".", "a\n", "\xc3\xa4"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_environment_name(bad));
  }
  CHECK(is_environment_name(std::string(kMaxEnvironmentName, 'a')));
  CHECK_FALSE(is_environment_name(std::string(kMaxEnvironmentName + 1, 'a')));
}

TEST_CASE("a package is a name and a version, in references and in files") {
  const PackageKey key{"my-env-2", 1763740000};
  CHECK(to_string(key) == "my-env-2@1763740000");
  CHECK(parse_package("my-env-2@1763740000") == key);
  CHECK(package_file(key) == "my-env-2-1763740000.tar");
  CHECK(parse_package_file("my-env-2-1763740000.tar") == key);
  for (const std::string bad : {"", "@", "a@", "@1", "a@0", "a@01", "a@-1", "a@1x", "a@1 ", "A@1",
                                "a@99999999999999999999", "a@9007199254740992", "a"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_package(bad));
  }
  for (const std::string bad : {"a.tar", "a-1", "a-1.tar.part", ".a-1.tar", "-1.tar", "a-01.tar", "a-x.tar", ".tar"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_package_file(bad));
  }
}

TEST_CASE("which image a container is") {
  CHECK(image_of("my-env") == "hakuriver/my-env:base");
  CHECK(image_of("my-env@7") == "hakuriver/my-env:7");
  CHECK(image_of("python:3.12") == "python:3.12");
  CHECK(image_of("library/python") == "library/python");
  CHECK(image_of("python@sha256:00") == "python@sha256:00");
  CHECK(is_own_image("hakuriver/my-env:base"));
  for (const std::string own :
       {"docker.io/hakuriver/x:7", "index.docker.io/hakuriver/x", "localhost/hakuriver/x", "HUB/hakuriver/x:7"}) {
    CHECK(is_own_image(own));
  }
  for (const std::string other : {"python:3.12", "hakuriver:1", "docker.io/hakuriver", "library/hakuriver/x:7"}) {
    CHECK_FALSE(is_own_image(other));
  }
}

TEST_CASE("references that no engine takes are known") {
  for (const std::string good :
       {"python", "python:3.12", "library/python", "docker.io/library/python:3", "localhost:5000/a", "[::1]:5000/a/b:c",
        "a@sha256:00ff", "a:1@sha256:00ff", "Registry/a", "a:_x.Y-z", "a--b/c__d"}) {
    CAPTURE(good);
    CHECK(is_wellformed_reference(good));
  }
  for (const std::string bad : {"",
                                "hakuriver/My_Env:base",
                                "../containers/x",
                                "a//b",
                                "/a",
                                "a/",
                                "a:",
                                "a:b:c",
                                "a:-1",
                                "a@",
                                "a@sha256",
                                "a@sha256:",
                                "a b:1",
                                "a/B",
                                ":1",
                                "a?x=1/b",
                                "a.b:x/%2e%2e",
                                "docker.io/",
                                "./a",
                                "a:b\n",
                                "a\xc3\xa4:1"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_wellformed_reference(bad));
  }
  CHECK_FALSE(is_wellformed_reference("a:" + std::string(129, 'x')));
}

TEST_CASE("a version is the time, and above all that were there") {
  CHECK(next_package_version(100, 0) == 100);
  CHECK(next_package_version(100, 99) == 100);
  CHECK(next_package_version(100, 100) == 101);
  CHECK(next_package_version(100, 500) == 501);
}

TEST_CASE("a manifest reads back, and what is none is refused") {
  const Manifest manifest{{"my-env", 7}, std::string(64, 'a'), 10240,
                          "sha256:1",    "python:3.12",        "2026-11-21T17:00:00Z"};
  const auto text = encode_manifest(manifest);
  const auto again = decode_manifest(text);
  REQUIRE(again);
  CHECK(again->key == manifest.key);
  CHECK(again->sha256 == manifest.sha256);
  CHECK(again->size == manifest.size);
  CHECK(again->base_image == manifest.base_image);
  CHECK(again->created == manifest.created);
  for (std::size_t size = 0; size + 1 < text.size(); ++size) CHECK_FALSE(decode_manifest(text.substr(0, size)));
  for (const std::string bad :
       {R"({"name":"A","version":1,"sha256":"","size":1})", R"({"name":"a","version":1,"size":1})",
        R"({"name":"a","version":"x","sha256":"","size":1})", "[]", "7",
        R"({"name":"a","version":1,"sha256":"zz","size":1})"}) {
    CAPTURE(bad);
    CHECK_FALSE(decode_manifest(bad));
  }
}

TEST_CASE("digests are those of FIPS 180-4") {
  CHECK(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
