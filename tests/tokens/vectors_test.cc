// Ground truth: ids and counts that real tiktoken gave.

#include <string>
#include <vector>

#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

std::vector<uint32_t> Ids(json::Value array) {
  std::vector<uint32_t> ids;
  for (const json::Value id : array.members()) ids.push_back(static_cast<uint32_t>(*id.Uint()));
  return ids;
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end != 0) lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

void CheckText(std::string_view encoding, std::string_view text, size_t count,
               const std::vector<uint32_t>* ids) {
  const Tokenizer* tokenizer = Find(encoding);
  REQUIRE(tokenizer != nullptr);
  CHECK(tokenizer->Count(text) == count);
  std::vector<uint32_t> found;
  CHECK(tokenizer->Encode(text, &found) == count);
  if (ids != nullptr) CHECK(found == *ids);
  std::string joined;
  for (const uint32_t id : found) joined += tokenizer->TokenBytes(id);
  CHECK(joined == text);
}

TEST_CASE("the project's own vectors") {
  const auto bytes = testing::ReadFile(testing::SourcePath("tests/tokens/data/vectors.jsonl"));
  REQUIRE(bytes);
  size_t texts = 0;
  json::Document document;
  for (const std::string_view line : Lines(*bytes)) {
    REQUIRE(document.Parse(line));
    const json::Value root = document.root();
    for (const char* encoding : {"cl100k_base", "o200k_base"}) {
      INFO(encoding << " " << root["name"].text());
      const std::vector<uint32_t> ids = Ids(root[encoding]);
      CheckText(encoding, root["text"].text(), ids.size(), &ids);
    }
    ++texts;
  }
  CHECK(texts == 122);
}

TEST_CASE("the shared vectors") {
  const auto bytes = testing::SharedData("token_vectors.jsonl");
  if (!bytes) return;
  size_t cases = 0;
  json::Document document;
  for (const std::string_view line : Lines(*bytes)) {
    REQUIRE(document.Parse(line));
    const json::Value root = document.root();
    INFO(root["id"].text());
    const bool has_ids = static_cast<bool>(root["ids"]);
    const std::vector<uint32_t> ids = has_ids ? Ids(root["ids"]) : std::vector<uint32_t>();
    CheckText(root["encoding"].text(), root["text"].text(), *root["count"].Uint(),
              has_ids ? &ids : nullptr);
    ++cases;
  }
  CHECK(cases == 610);
}

}  // namespace
}  // namespace weir::tokens
