// Whatever is in the file: an answer in one line, never a crash.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "config/toml_file.hpp"
#include "hakuriver/config.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::ScratchDirectory;

namespace {

void check_answer(const ScratchDirectory& scratch, const std::string& text) {
  const auto loaded = load_config({.config_file = scratch.write("c.toml", text), .environment = {"HOME=/x"}});
  if (loaded) return;
  const std::string& message = loaded.error().message;
  CAPTURE(text);
  CHECK(!message.empty());
  CHECK(message.size() < 1000);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.find(scratch / "c.toml") != std::string::npos);
}

}  // namespace

TEST_CASE("a file cut off anywhere is an answer") {
  const ScratchDirectory scratch;
  const std::string whole(default_config_text());
  for (std::size_t size = 0; size < whole.size(); size += 29) check_answer(scratch, whole.substr(0, size));
}

TEST_CASE("random bytes are an answer") {
  const ScratchDirectory scratch;
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = static_cast<char>(random() % 256);
    check_answer(scratch, text);
  }
}

TEST_CASE("random pieces of TOML are an answer") {
  const ScratchDirectory scratch;
  const std::vector<std::string> pieces = {
      "[",         "]",     "[[",    "]]",     "{",   "}",      "=",   ".",    ",",
      "\n",        "\"",    "'",     "\"\"\"", "'''", "#",      " ",   "a",    "network",
      "host_port", "1",     "0x",    "1e",     "-",   "inf",    "nan", "true", "\\u",
      "\\",        "2025-", "07:30", "T",      "Z",   "+01:00", "\r",  "\xc3", "[network]\nhost_port = "};
  std::mt19937 random(2);
  for (int i = 0; i < 1500; ++i) {
    std::string text;
    for (std::size_t count = random() % 20; count > 0; --count) text += pieces[random() % pieces.size()];
    check_answer(scratch, text);
  }
}

TEST_CASE("a default file with random bytes changed is an answer") {
  const ScratchDirectory scratch;
  const std::string whole(default_config_text());
  std::mt19937 random(3);
  for (int i = 0; i < 60; ++i) {
    std::string text = whole;
    for (int j = 0; j < 5; ++j) text[random() % text.size()] = static_cast<char>(random() % 256);
    check_answer(scratch, text);
  }
}

TEST_CASE("random variables are an answer") {
  std::mt19937 random(4);
  for (int i = 0; i < 200; ++i) {
    std::string value(random() % 50, '\0');
    for (char& c : value) c = static_cast<char>(1 + random() % 255);
    for (const char* name :
         {"HAKURIVER_NETWORK_HOST_PORT", "HAKURIVER_HOST", "HAKURIVER_PATHS_SHARED_DIR", "HAKURIVER_TIMING_KILL_GRACE",
          "HAKURIVER_RUNNER_MEMORY", "HAKURIVER_DOCKER_ALLOW_MOUNTS", "HAKURIVER_HOME"}) {
      CAPTURE(name);
      const auto loaded = load_config({.environment = {"HOME=/x", std::string(name) + "=" + value}});
      if (!loaded) CHECK(loaded.error().message.find('\n') == std::string::npos);
    }
  }
}
