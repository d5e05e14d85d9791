// Any bytes as a kept answer, and as an answer that is to be kept. Input: what of both, and of
// answers the dialect, operation and framing (1 byte), cuts (1 byte), the bytes.
//
// Oracle: bytes that are a kept answer are the one form of it; it is replayed in every way that it
// can be, and what is written is kept again with the same texts; of an answer that is kept the
// texts are what a reader tells, whatever the cuts.

#include <cstdlib>

#include "tests/dialects/keep_support.h"
#include "tests/fuzz/answer_fuzz.h"

namespace weir::fuzz {
namespace {

using dialects::BodyKind;
using dialects::Dialect;
using dialects::KeptAnswer;
using dialects::NotKept;
using dialects::Operation;
using dialects::testing::KeptOutcome;
using dialects::testing::Origin;

bool SameTexts(const KeptAnswer& a, const KeptAnswer& b) {
  if (a.choices.size() != b.choices.size()) return false;
  for (size_t i = 0; i < a.choices.size(); ++i) {
    if (a.choices[i].text != b.choices[i].text) return false;
    if (a.choices[i].finish_reason != b.choices[i].finish_reason) return false;
  }
  return true;
}

// The number of ways in which it could be.
int CheckReplays(const KeptAnswer& kept) {
  int ways = 0;
  for (Dialect dialect : {Dialect::kOpenAi, Dialect::kAzureOpenAi, Dialect::kAnthropic,
                          Dialect::kGemini, Dialect::kBedrock}) {
    for (Operation operation : {Operation::kChat, Operation::kResponses, Operation::kCompletions}) {
      for (int way = 0; way < 4; ++way) {
        dialects::Replay replay;
        replay.dialect = dialect;
        replay.operation = operation;
        replay.stream = (way & 1) != 0;
        replay.include_usage = replay.json_array = (way & 2) != 0;
        replay.id_seed = "00112233445566778899aabbccddeeff";
        const auto written = dialects::WriteReplay(kept, replay);
        if (!written.ok()) continue;
        ++ways;
        const Origin origin = {dialect, operation, dialects::KindOf(written->content_type)};
        const KeptOutcome again = dialects::testing::RunKeeping(written->body, origin);
        Require(again.reason == NotKept::kNothing);
        Require(SameTexts(again.kept, kept));
        CheckUsage(again.kept.usage);
      }
    }
  }
  return ways;
}

void CheckAnswerKept(std::string_view body, const Origin& origin, uint8_t cuts) {
  const KeptOutcome whole = dialects::testing::RunKeeping(body, origin);
  Require(whole.relayed == body);
  const auto cut = CutsOf(cuts, body.size());
  Require(dialects::testing::RunKeeping(body, origin, cut).Everything() == whole.Everything());
  if (whole.reason != NotKept::kNothing) return;
  const auto told = dialects::testing::Run(body, {}, false, origin);
  Require(told.finish && !told.error && told.unreadable == 0);
  const auto texts = told.TextOfChoices();
  Require(texts.size() == whole.kept.choices.size());
  for (const auto& [choice, text] : texts) Require(whole.kept.choices[choice].text == text);
  const std::string bytes = whole.kept.Serialize();
  const auto parsed = KeptAnswer::Parse(bytes);
  Require(parsed.ok() && parsed->Serialize() == bytes);
  Require(CheckReplays(whole.kept) > 0);
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using weir::fuzz::BodyKind;
  using weir::fuzz::Dialect;
  using weir::fuzz::KeptAnswer;
  using weir::fuzz::Operation;
  using weir::fuzz::Origin;
  using weir::fuzz::Require;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  if ((data[0] & 1) == 0) {
    const auto kept = KeptAnswer::Parse(bytes);
    if (!kept.ok()) return 0;
    Require(kept->Serialize() == bytes);
    weir::fuzz::CheckReplays(*kept);
    return 0;
  }
  constexpr BodyKind kKinds[] = {BodyKind::kSse, BodyKind::kJson, BodyKind::kEventStream,
                                 BodyKind::kOther};
  Origin origin;
  origin.kind = kKinds[data[0] >> 1 & 3];
  origin.operation = static_cast<Operation>(data[0] >> 3 & 3);
  origin.dialect = static_cast<Dialect>((data[0] >> 5) % 5);
  weir::fuzz::CheckAnswerKept(bytes, origin, data[1]);
  return 0;
}
