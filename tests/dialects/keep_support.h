// What the tests of keeping and replaying share.

#ifndef WEIR_TESTS_DIALECTS_KEEP_SUPPORT_H_
#define WEIR_TESTS_DIALECTS_KEEP_SUPPORT_H_

#include <string>
#include <string_view>
#include <vector>

#include "tests/dialects/support.h"
#include "weir/replay.h"

namespace weir::dialects {

inline std::ostream& operator<<(std::ostream& out, NotKept reason) {
  return out << NotKeptName(reason);
}

namespace testing {

struct KeptOutcome {
  NotKept reason = NotKept::kNothing;
  KeptAnswer kept;
  std::string relayed;

  // All of it, to be compared; what is kept as its bytes.
  std::string Everything() const {
    return Concat({NotKeptName(reason), "|",
                   reason == NotKept::kNothing ? kept.Serialize() : std::string(), "|", relayed});
  }
};

// Feeds `body` in pieces that end at `cuts` (ascending offsets).
inline KeptOutcome RunKeeping(std::string_view body, const Origin& origin,
                              const std::vector<size_t>& cuts = {}, size_t max_bytes = 1 << 20) {
  auto reader = StreamReader::Create(origin.dialect, origin.operation, origin.kind);
  reader->set_keep(max_bytes);
  KeptOutcome outcome;
  size_t from = 0;
  const auto feed = [&](size_t to) {
    const std::string piece(body.substr(from, to - from));
    reader->Feed(piece, &outcome.relayed);
    from = to;
  };
  for (size_t cut : cuts) feed(cut);
  feed(body.size());
  KeptAnswer early;
  const NotKept before = reader->TakeKept(&early);
  reader->End(&outcome.relayed);
  outcome.reason = reader->TakeKept(&outcome.kept);
  // Before the end it is never kept, and nothing was taken.
  if (before == NotKept::kNothing || !early.choices.empty()) outcome.relayed = "kept too early";
  KeptAnswer again;
  if (reader->TakeKept(&again) == NotKept::kNothing) outcome.relayed = "kept twice";
  return outcome;
}

}  // namespace testing
}  // namespace weir::dialects

#endif  // WEIR_TESTS_DIALECTS_KEEP_SUPPORT_H_
