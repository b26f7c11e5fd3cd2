// A part that few of many things have: a pointer's size where it is absent.
#pragma once

#include <memory>
#include <utility>

namespace hakuriver::keeper {

template <class Part>
class Rare {
 public:
  Rare() = default;
  Rare(const Rare& other) : part_(other.part_ ? std::make_unique<Part>(*other.part_) : nullptr) {}
  Rare(Rare&& other) noexcept = default;
  Rare& operator=(Rare other) noexcept {
    part_ = std::move(other.part_);
    return *this;
  }
  ~Rare() = default;

  explicit operator bool() const noexcept { return part_ != nullptr; }
  Part* operator->() const noexcept { return part_.get(); }
  Part& operator*() const noexcept { return *part_; }
  // What it has, or a new one.
  Part& need() {
    if (!part_) part_ = std::make_unique<Part>();
    return *part_;
  }
  friend bool operator==(const Rare& a, const Rare& b) { return a.part_ && b.part_ ? *a == *b : !a.part_ && !b.part_; }

 private:
  std::unique_ptr<Part> part_;
};

}  // namespace hakuriver::keeper
