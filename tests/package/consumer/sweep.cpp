// Headers only: prints the commands of a sweep.
#include <iostream>

#include "hakuriver/sweep_words.hpp"
#include "hakuriver/version.hpp"

int main() {
  const auto words = hakuriver::parse_sweep({"train", "span:{1..3}", "--lr=span:[0.1,0.01]"});
  if (!words) {
    std::cerr << words.error().message << "\n";
    return 1;
  }
  std::cout << "hakuriver " << HAKURIVER_VERSION << "\n";
  for (std::uint64_t i = 0; i < words->sweep.size(); ++i) {
    for (const auto& word : words->sweep.at(i)) std::cout << word << " ";
    std::cout << "\n";
  }
}
