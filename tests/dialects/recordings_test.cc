// Bodies recorded from real providers, when they lie beside the project: the usage read is the one
// that the list says they state, and cuts do not matter.

#include <sstream>

#include "base/text.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"

namespace weir::dialects {
namespace {

using weir::testing::SharedData;

struct Recording {
  std::string file, bytes, features;
  Usage usage;
};

std::vector<std::string> Columns(const std::string& line) {
  std::vector<std::string> columns(1);
  for (char c : line) {
    if (c == '\t') {
      columns.emplace_back();
    } else {
      columns.back().push_back(c);
    }
  }
  return columns;
}

std::optional<uint64_t> Stated(json::Value value) { return value.Uint(); }

// The usage as the list has it, with what our contract makes of a part above its whole.
Usage StatedUsage(std::string quoted) {
  if (quoted.size() < 2) return {};
  std::string text;
  for (size_t i = 1; i + 1 < quoted.size(); ++i) {
    text.push_back(quoted[i]);
    if (quoted[i] == '"') ++i;  // doubled
  }
  json::Document document;
  REQUIRE(document.Parse(text));
  const json::Value root = document.root();
  Usage usage = {.prompt = Stated(root["prompt_tokens"]),
                 .completion = Stated(root["completion_tokens"]),
                 .cached = Stated(root["prompt_tokens_details"]["cached_tokens"]),
                 .reasoning = Stated(root["completion_tokens_details"]["reasoning_tokens"]),
                 .reported_total = Stated(root["total_tokens"]),
                 .anomaly = false};
  const auto clamp = [&](const std::optional<uint64_t>& whole, std::optional<uint64_t>* part) {
    if (*part && **part > whole.value()) {
      *part = whole;
      usage.anomaly = true;
    }
  };
  clamp(usage.prompt, &usage.cached);
  clamp(usage.completion, &usage.reasoning);
  return usage;
}

std::vector<Recording> Recordings(const std::string& suffix) {
  std::vector<Recording> recordings;
  const auto manifest = SharedData("streams/MANIFEST.tsv");
  if (!manifest) return recordings;
  std::istringstream lines(*manifest);
  std::string line;
  while (std::getline(lines, line)) {
    const std::vector<std::string> columns = Columns(line);
    const std::string& file = columns[0];
    const std::string folder = file.substr(0, file.find('/'));
    if (folder != "openai_chat" && folder != "azure_openai" && folder != "compat" &&
        folder != "edge") {
      continue;
    }
    if (file.find("anthropic") != std::string::npos) continue;
    if (file.size() < suffix.size() || file.substr(file.size() - suffix.size()) != suffix) continue;
    const auto bytes = SharedData("streams/" + file);
    REQUIRE(bytes);
    recordings.push_back({file, *bytes, columns[9], StatedUsage(columns[8])});
  }
  CHECK(recordings.size() >= 5);
  return recordings;
}

bool Has(const Recording& recording, const std::string& feature) {
  return Concat({",", recording.features, ","}).find(Concat({",", feature, ","})) !=
         std::string::npos;
}

TEST_CASE("recorded streams state the usage that they are known to state") {
  for (const Recording& recording : Recordings(".sse")) {
    INFO(recording.file);
    const testing::Outcome outcome = testing::Run(recording.bytes, {});
    CHECK(outcome.relayed == recording.bytes);
    CHECK(outcome.usage == recording.usage);
    CHECK(outcome.done == Has(recording, "DONE"));
    CHECK(outcome.error == Has(recording, "ERROR"));
    CHECK(outcome.unreadable == (Has(recording, "NONJSON") ? 1 : 0));
    // One proxy finishes only the first of two choices.
    CHECK(outcome.finish == (recording.features.find("FR_") != std::string::npos &&
                             !Has(recording, "N2,USAGE_withch")));
    CHECK_FALSE(outcome.Text().empty());
    CHECK_FALSE(outcome.model.empty());
  }
}

TEST_CASE("recorded streams tell the same however they are cut") {
  uint64_t seed = 100;
  for (const Recording& recording : Recordings(".sse")) {
    INFO(recording.file);
    CHECK(testing::CutsDoNotMatter(recording.bytes, /*strip=*/false, ++seed));
    CHECK(testing::CutsDoNotMatter(recording.bytes, /*strip=*/true, ++seed));
  }
}

TEST_CASE("strip_usage takes from recorded streams the one chunk without choices") {
  for (const Recording& recording : Recordings(".sse")) {
    INFO(recording.file);
    const std::string left = testing::Run(recording.bytes, {}, true).relayed;
    if (!Has(recording, "USAGE_emptych")) {
      CHECK(left == recording.bytes);
      continue;
    }
    REQUIRE(left.size() < recording.bytes.size());
    size_t prefix = 0;
    while (prefix < left.size() && left[prefix] == recording.bytes[prefix]) ++prefix;
    // The chunk's own start may equal the start of what follows it.
    prefix = recording.bytes.rfind("\n\n", prefix - 1) + 2;
    const size_t removed = recording.bytes.size() - left.size();
    CHECK(testing::Splice(recording.bytes, prefix, prefix + removed, "") == left);
    const std::string chunk = recording.bytes.substr(prefix, removed);
    CHECK(chunk.find("\n\n") == chunk.size() - 2);
    json::Document document;
    REQUIRE(document.Parse(chunk.substr(chunk.find('{'))));
    CHECK(document.root()["choices"].source() == "[]");
    CHECK(testing::Run(left, {}).usage == Usage{});
  }
}

TEST_CASE("recorded answers state the usage that they are known to state") {
  for (const Recording& recording : Recordings(".json")) {
    INFO(recording.file);
    const ChatResponse response = ReadChatResponse(recording.bytes);
    CHECK(response.usage == recording.usage);
    CHECK(response.error == Has(recording, "ERROR"));
    if (!response.error) {
      CHECK(response.texts.empty() == Has(recording, "FR_content_filter"));
      CHECK_FALSE(response.model.empty());
    }
    testing::ForEachSwap(recording.bytes, [](const std::string& path, const std::string& swapped) {
      INFO(path);
      REQUIRE(IsSane(ReadChatResponse(swapped).usage));
    });
  }
}

}  // namespace
}  // namespace weir::dialects
