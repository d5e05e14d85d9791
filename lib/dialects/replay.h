// Writing kept answers (weir/replay.h), one pair of functions for each dialect.

#ifndef WEIR_LIB_DIALECTS_REPLAY_H_
#define WEIR_LIB_DIALECTS_REPLAY_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "weir/replay.h"

namespace weir::dialects {

// What is written, when all of it is known to be of the dialect.
struct ReplayJob {
  const KeptAnswer& answer;
  const Replay& replay;
  std::string_view model;  // to be shown
  uint64_t created = 0;
  Usage usage;               // all of the prompt from a cache
  bool usage_known = false;  // something of it

  const KeptChoice& only() const { return answer.choices.front(); }
  std::string Id(std::string_view prefix) const { return Concat({prefix, replay.id_seed}); }
};

// Chat completions and completions.
std::string WriteChatAnswer(const ReplayJob& job);
std::string WriteChatStream(const ReplayJob& job);

std::string WriteResponsesAnswer(const ReplayJob& job);
std::string WriteResponsesStream(const ReplayJob& job);

std::string WriteMessage(const ReplayJob& job);
std::string WriteMessageStream(const ReplayJob& job);

std::string WriteGeminiAnswer(const ReplayJob& job);
std::string WriteGeminiStream(const ReplayJob& job);  // SSE, or an array

std::string WriteConverseAnswer(const ReplayJob& job);
std::string WriteConverseStream(const ReplayJob& job);

// Calls write(piece, last) with the text in pieces of whole characters.
template <typename Write>
void ForEachPiece(std::string_view text, Write write) {
  while (!text.empty()) {
    size_t size = Utf8Prefix(text, kReplayPieceBytes);
    if (size == 0) size = std::min(text.size(), kReplayPieceBytes);
    write(text.substr(0, size), size == text.size());
    text.remove_prefix(size);
  }
}

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_REPLAY_H_
