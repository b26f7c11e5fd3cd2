#include "container/messages.hpp"
#include "wire/scanner.hpp"

namespace hakuriver::container {
namespace {

using wire::Scanner;

void take_references(std::string_view image, std::vector<std::string>& references) {
  Scanner in(image, "image");
  std::string_view name;
  for (in.enter_object(); in.next_name(name);) {
    const std::string_view raw = in.raw();
    if (name != "RepoTags" || !raw.starts_with('[')) continue;  // null where it has none
    Scanner list(raw, "references");
    for (list.enter_array(); list.next_item();) references.push_back(list.text());
  }
}

}  // namespace

Result<std::vector<std::string>> decode_references(std::string_view answer) {
  std::vector<std::string> references;
  Scanner in(answer, "images");
  for (in.enter_array(); in.next_item();) take_references(in.raw(), references);
  if (const auto status = in.status(); !status) return status.error();
  return references;
}

}  // namespace hakuriver::container
