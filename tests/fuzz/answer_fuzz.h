// What the fuzzers of answers share: a body in any cuts, and what has to hold for what is told of
// it.

#ifndef WEIR_TESTS_FUZZ_ANSWER_FUZZ_H_
#define WEIR_TESTS_FUZZ_ANSWER_FUZZ_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/sse.h"
#include "tests/dialects/support.h"
#include "tests/dialects/template_twin.h"
#include "tests/fuzz/request_kinds.h"

namespace weir::fuzz {

// Cuts drawn from a byte of the input: one at that place, and seeded ones.
inline std::vector<size_t> CutsOf(uint8_t byte, size_t size) {
  Random random(byte);
  std::vector<size_t> cuts = dialects::testing::RandomCuts(&random, size);
  if (byte < size) cuts.push_back(byte);
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

inline void CheckUsage(const dialects::Usage& usage) {
  Require(dialects::IsSane(usage));
  Require(!usage.total() || *usage.total() == *usage.prompt + *usage.completion);
}

// Every way to read the body tells the same, relays the same bytes, and states what can be.
inline void CheckAnswer(std::string_view body, const dialects::testing::Origin& origin,
                        uint8_t cuts) {
  using dialects::testing::Run;
  const dialects::testing::Outcome whole = Run(body, {}, false, origin);
  Require(whole.relayed == body);
  CheckUsage(whole.usage);
  Require(whole.unreadable <= whole.events);
  for (const auto& delta : whole.deltas) Require(!delta.second.empty());
  Require(Run(body, dialects::testing::EveryByte(body.size()), false, origin) == whole);
  Require(Run(body, CutsOf(cuts, body.size()), false, origin) == whole);
  if (origin.kind == dialects::BodyKind::kSse) {
    const dialects::testing::Outcome stripped = Run(body, {}, true, origin);
    Require(stripped.usage == whole.usage);
    Require(stripped.relayed.size() <= body.size());
    Require(Run(body, CutsOf(cuts, body.size()), true, origin) == stripped);
  }
  if (origin.kind == dialects::BodyKind::kJson) {
    const dialects::Response response =
        dialects::ReadResponse(origin.dialect, origin.operation, body);
    CheckUsage(response.usage);
    // An array is read as it comes, where a parser wants all of it to be well-formed.
    if (body.find('[') > body.find('{')) Require(response.usage == whole.usage);
  }
}

// The events of an SSE body, read by their likeness and by a parser.
inline void CheckTemplates(std::string_view body, const dialects::testing::Origin& origin) {
  dialects::SseReader sse(dialects::kMaxEventBytes);
  dialects::testing::TwoReaders readers(origin);
  while (!body.empty()) {
    const dialects::SseReader::Progress progress = sse.Read(body);
    const dialects::SseReader::Event event = sse.event();
    if (event.present) readers.Take(event.type, event.data);
    Require(readers.agreed());
    body.remove_prefix(progress.consumed);
  }
}

// The input: the framing and operation (1 byte), cuts (1 byte), the body.
inline int FuzzAnswer(dialects::Dialect dialect, const uint8_t* data, size_t size) {
  using dialects::BodyKind;
  if (size < 2) return 0;
  constexpr BodyKind kKinds[] = {BodyKind::kSse, BodyKind::kJson, BodyKind::kEventStream,
                                 BodyKind::kOther};
  dialects::testing::Origin origin;
  origin.dialect = dialect;
  origin.kind = kKinds[data[0] & 3];
  origin.operation = static_cast<dialects::Operation>(data[0] >> 2 & 3);
  const std::string_view body(reinterpret_cast<const char*>(data + 2), size - 2);
  CheckAnswer(body, origin, data[1]);
  if (origin.kind == BodyKind::kSse) CheckTemplates(body, origin);
  return 0;
}

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_ANSWER_FUZZ_H_
