#include "hakuriver/host/sorted_chunks.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>

namespace hakuriver::test {

namespace {

struct Entry {
  std::uint64_t key = 0;
  std::string text;
  bool operator==(const Entry&) const = default;
};
using Table = SortedChunks<Entry, &Entry::key>;
using Model = std::map<std::uint64_t, std::string>;

// Where an iterator of either stands, as a number that can be compared.
std::uint64_t key_at(Table& table, Table::iterator at) { return at == table.end() ? 0 : at->key; }
std::uint64_t key_at(const Table& table, Table::const_iterator at) { return at == table.end() ? 0 : at->key; }
std::uint64_t key_at(const Model& model, Model::const_iterator at) { return at == model.end() ? 0 : at->first; }

bool is_same(const Table& table, const Model& model) {
  if (table.size() != model.size() || table.empty() != model.empty()) return false;
  auto expected = model.begin();
  for (const Entry& entry : table) {
    if (entry.key != expected->first || entry.text != expected->second) return false;
    ++expected;
  }
  for (auto at = table.end(); at != table.begin();) {
    --at;
    --expected;
    if (at->key != expected->first) return false;
  }
  return true;
}

void check_searches(Table& changeable, const Model& model, std::uint64_t key) {
  const Table& table = changeable;
  CHECK(key_at(changeable, changeable.lower_bound(key)) == key_at(model, model.lower_bound(key)));
  CHECK(key_at(table, table.lower_bound(key)) == key_at(model, model.lower_bound(key)));
  CHECK(key_at(table, table.upper_bound(key)) == key_at(model, model.upper_bound(key)));
  CHECK(key_at(table, table.find(key)) == key_at(model, model.find(key)));
}

// Adds the key, or takes it out if it is there.
void toggle(Table& table, Model& model, std::uint64_t key) {
  const auto there = table.find(key);
  if (there == table.end()) {
    const std::string text = "text of " + std::to_string(key);
    CHECK(table.insert({key, text}) == Entry{key, text});
    model.emplace(key, text);
    return;
  }
  const auto next = table.erase(there);
  CHECK(key_at(table, next) == key_at(model, model.erase(model.find(key))));
}

}  // namespace

TEST_CASE("sorted chunks hold and find what a map does") {
  for (const std::uint64_t most : {10U, 300U, 5000U}) {
    CAPTURE(most);
    std::mt19937_64 random(most);
    Table table;
    Model model;
    for (int step = 0; step < 20'000; ++step) {
      toggle(table, model, 1 + random() % most);
      check_searches(table, model, random() % (most + 2));
      if (step % 500 == 0) CHECK(is_same(table, model));
    }
    CHECK(is_same(table, model));
  }
}

TEST_CASE("sorted chunks may be added to at either end and emptied from either end") {
  for (const bool upwards : {true, false}) {
    for (const bool from_front : {true, false}) {
      Table table;
      Model model;
      for (std::uint64_t i = 1; i <= 1000; ++i) toggle(table, model, upwards ? i : 1001 - i);
      CHECK(is_same(table, model));
      while (!model.empty()) {
        toggle(table, model, from_front ? model.begin()->first : std::prev(model.end())->first);
        check_searches(table, model, 500);
      }
      CHECK(table.empty());
      CHECK(table.begin() == table.end());
      toggle(table, model, 7);
      CHECK(is_same(table, model));
    }
  }
}

TEST_CASE("the first key of sorted chunks may rise to just below the next one") {
  Table table;
  for (std::uint64_t key = 10; key <= 10'000; key += 10) table.insert({key, "x"});
  for (std::uint64_t key = 10; key < 10'000; key += 10) {
    table.find(key)->key = key + 9;
    CHECK(table.find(key) == table.end());
    CHECK(table.at(key + 9).text == "x");
    CHECK(table.upper_bound(key + 9)->key == key + 10);
    if (key % 20 == 0) continue;
    table.insert({key, "y"});
    CHECK(std::next(table.find(key))->key == key + 9);
  }
}

}  // namespace hakuriver::test
