// Recorded bodies of every dialect: the usage read is the one that their list says they state, what
// is relayed is what came, and cuts do not matter.

#include "tests/dialects/recording.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::Outcome;
using testing::Recording;
using testing::Recordings;

bool IsStream(const Recording& recording) {
  return recording.origin.kind == BodyKind::kSse || recording.origin.kind == BodyKind::kEventStream;
}

Outcome RunWhole(const Recording& recording) {
  return testing::Run(recording.bytes, {}, false, recording.origin);
}

TEST_CASE("recorded bodies state the usage that they are known to state") {
  size_t stated = 0;
  for (const Recording& recording : Recordings()) {
    INFO(recording.file);
    const Outcome outcome = RunWhole(recording);
    CHECK(outcome.relayed == recording.bytes);
    CHECK(outcome.usage == testing::Oracle().Read(recording));
    CHECK(IsSane(outcome.usage));
    if (outcome.usage.prompt) ++stated;
    if (recording.origin.kind != BodyKind::kJson) continue;
    const Response response =
        ReadResponse(recording.origin.dialect, recording.origin.operation, recording.bytes);
    CHECK(response.usage == outcome.usage);
    CHECK(response.model == outcome.model);
    CHECK(response.error == outcome.error);
    CHECK(response.finish_reason == outcome.reason);
    std::vector<std::string> texts;
    for (const auto& delta : outcome.deltas) texts.push_back(delta.second);
    CHECK(response.texts == texts);
  }
  if (!Recordings().empty()) CHECK(stated >= 50);
}

TEST_CASE("recorded bodies tell how they end, who answers, and what was said") {
  for (const Recording& recording : Recordings()) {
    INFO(recording.file);
    const Outcome outcome = RunWhole(recording);
    const bool html = recording.origin.kind == BodyKind::kOther;
    CHECK(outcome.unreadable == (recording.Has("NONJSON") || html ? 1 : 0));
    CHECK(outcome.error == ((recording.status >= 400 && !html) || recording.Has("ERROR")));
    if (outcome.error) CHECK(outcome.error_text != "||");
    if (outcome.error || html) continue;
    const bool silent = recording.Has("FR_content_filter") ||
                        recording.origin.operation == Operation::kEmbeddings ||
                        recording.file == "anthropic/vercel__anthropic_refusal.sse" ||
                        recording.file.find("edge/agentgateway") == 0 ||
                        recording.file.find("edge/kong__anthropic") == 0;
    CHECK((outcome.deltas.empty() == silent || recording.file.find("edge/") == 0));
    // Bedrock's converse names no model: it is in the path.
    if (recording.origin.dialect != Dialect::kBedrock) CHECK_FALSE(outcome.model.empty());
    const bool truncated = recording.file.find("many_chunks_no_usage") != std::string::npos;
    const bool no_end = recording.Has("openai_chat/openai-python__stream_length.sse");
    CHECK((outcome.done || outcome.finish || truncated || no_end));
  }
}

// A stream that was cut ends without a word; one that was not has its dialect's last word.
TEST_CASE("recorded streams of OpenAI's dialect end with [DONE] where they are known to") {
  for (const Recording& recording : Recordings()) {
    const bool openai = recording.origin.dialect == Dialect::kOpenAi ||
                        recording.origin.dialect == Dialect::kAzureOpenAi;
    if (!openai || recording.origin.kind != BodyKind::kSse ||
        recording.origin.operation == Operation::kResponses) {
      continue;
    }
    INFO(recording.file);
    const Outcome outcome = RunWhole(recording);
    CHECK(outcome.done == recording.Has("DONE"));
    // One proxy finishes only the first of two choices.
    CHECK(outcome.finish == (recording.features.find("FR_") != std::string::npos &&
                             !recording.Has("N2,USAGE_withch")));
  }
}

TEST_CASE("recorded bodies tell the same however they are cut in two") {
  uint64_t seed = 100;
  for (const Recording& recording : Recordings()) {
    INFO(recording.file);
    const bool stream = IsStream(recording);
    // A whole body is only put together again: some cuts are enough.
    CHECK(testing::CutsDoNotMatter(recording.bytes, /*strip=*/false, ++seed, recording.origin,
                                   stream && !testing::kSlow ? size_t{1} << 20 : 2048));
    if (recording.origin.kind != BodyKind::kSse) continue;
    CHECK(testing::CutsDoNotMatter(recording.bytes, /*strip=*/true, ++seed, recording.origin));
  }
}

TEST_CASE("strip_usage takes from recorded streams the one chunk without choices") {
  for (const Recording& recording : Recordings()) {
    if (recording.origin.kind != BodyKind::kSse) continue;
    INFO(recording.file);
    const std::string left = testing::Run(recording.bytes, {}, true, recording.origin).relayed;
    if (!recording.Has("USAGE_emptych")) {
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
    CHECK(testing::Run(left, {}, false, recording.origin).usage == Usage{});
  }
}

}  // namespace
}  // namespace weir::dialects
