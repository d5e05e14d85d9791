// Tokenizers from files against what their own libraries made of the same texts.
// loaded_agreement.py made tests/tokens/loaded, and makes more: see there.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"
#include "weir/tokenizer_files.h"

namespace weir::tokens {
namespace {

namespace fs = std::filesystem;

std::string Contents(const fs::path& path) {
  const auto contents = testing::ReadFile(path.string());
  REQUIRE(contents);
  return *contents;
}

std::string Listed(const std::vector<uint32_t>& ids) {
  std::string text;
  for (const uint32_t id : ids) text += std::to_string(id) + " ";
  return text;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const fs::path& path) {
  if (path.extension() != ".tiktoken") return LoadTokenizer(path.stem().string(), Contents(path));
  fs::path pattern = path;
  pattern.replace_extension(".pattern");
  const std::string name = Contents(pattern);
  return LoadTiktoken(path.stem().string(), Contents(path), name.substr(0, name.find('\n')));
}

// How many texts agree; the first few that do not are shown.
size_t CheckFile(const fs::path& path) {
  const auto tokenizer = Load(path);
  INFO(path.string());
  if (!tokenizer.ok()) {
    const std::string message(tokenizer.status().message());
    INFO(message);
    CHECK(tokenizer.ok());
    return 0;
  }
  fs::path expectations = path;
  expectations.replace_extension(".jsonl");
  std::ifstream lines(expectations);
  size_t agree = 0, differ = 0;
  json::Document document;
  for (std::string line; std::getline(lines, line);) {
    REQUIRE(document.Parse(line));
    const auto members = document.root().members();
    auto at = members.begin();
    const std::string text((*at).text());
    ++at;
    std::vector<uint32_t> expected, found;
    for (const json::Value id : (*at).members()) {
      expected.push_back(static_cast<uint32_t>(*id.Uint()));
    }
    const size_t count = (*tokenizer)->Encode(text, &found);
    const bool same = found == expected && count == expected.size() &&
                      (*tokenizer)->Count(text) == expected.size();
    if (same) {
      ++agree;
    } else if (++differ <= 5) {
      std::string shown;
      json::AppendString(&shown, text);
      INFO(shown << "\nexpected " << Listed(expected) << "\nfound    " << Listed(found));
      CHECK(same);
    }
  }
  INFO(agree << " agree, " << differ << " differ");
  CHECK(differ == 0);
  return agree;
}

size_t CheckFolder(const fs::path& folder, size_t* files) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string kind = entry.path().extension().string();
    if (kind == ".json" || kind == ".tiktoken" || kind == ".model") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  *files = paths.size();
  size_t agree = 0;
  for (const fs::path& path : paths) agree += CheckFile(path);
  return agree;
}

TEST_CASE("loaded tokenizers agree with their libraries") {
  size_t files = 0;
  const size_t agree = CheckFolder(testing::SourcePath("tests/tokens/loaded"), &files);
  CHECK(files >= 40);
  CHECK(agree >= 3000);
  if (const char* const folder = std::getenv("WEIR_LOADED_AGREEMENT")) {
    const size_t more = CheckFolder(folder, &files);
    std::cerr << more << " texts agree with " << files << " tokenizers\n";
  }
}

}  // namespace
}  // namespace weir::tokens
