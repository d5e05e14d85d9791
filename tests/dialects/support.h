// What the tests of this room share: running a stream through the reader in any cuts, and walking
// the values of a JSON text.

#ifndef WEIR_TESTS_DIALECTS_SUPPORT_H_
#define WEIR_TESTS_DIALECTS_SUPPORT_H_

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "weir/dialects.h"

namespace weir::dialects {

inline auto Fields(const Usage& u) {
  return std::tie(u.prompt, u.completion, u.cached, u.cache_write, u.reasoning, u.audio_prompt,
                  u.audio_completion, u.accepted_prediction, u.rejected_prediction,
                  u.reported_total, u.anomaly, u.reasoning_was_beside);
}
inline bool operator==(const Usage& a, const Usage& b) { return Fields(a) == Fields(b); }
inline std::ostream& operator<<(std::ostream& out, const Usage& u) {
  const auto put = [&](const char* name, const std::optional<uint64_t>& count) {
    if (count) out << ' ' << name << ' ' << *count;
  };
  put("prompt", u.prompt);
  put("completion", u.completion);
  put("cached", u.cached);
  put("cache_write", u.cache_write);
  put("reasoning", u.reasoning);
  put("audio_prompt", u.audio_prompt);
  put("audio_completion", u.audio_completion);
  put("accepted", u.accepted_prediction);
  put("rejected", u.rejected_prediction);
  put("total", u.reported_total);
  return out << (u.anomaly ? " anomaly" : "") << (u.reasoning_was_beside ? " beside" : "");
}

// Nothing that is booked may be absurd, whatever was stated.
inline bool IsSane(const Usage& u) {
  using Count = std::optional<uint64_t>;
  for (const Count& count :
       {u.prompt, u.completion, u.cached, u.cache_write, u.reasoning, u.audio_prompt,
        u.audio_completion, u.accepted_prediction, u.rejected_prediction, u.reported_total}) {
    if (count && *count > kMaxTokens) return false;
  }
  const auto inside = [](const Count& whole, std::initializer_list<Count> parts) {
    for (const Count& part : parts) {
      if (part && (!whole || *part > *whole)) return false;
    }
    return true;
  };
  if (u.total().has_value() != (u.prompt && u.completion)) return false;
  if (u.total() && *u.total() != *u.prompt + *u.completion) return false;
  if (u.cached && u.cache_write && *u.cached + *u.cache_write > *u.prompt) return false;
  return inside(u.prompt, {u.cached, u.cache_write, u.audio_prompt}) &&
         inside(u.completion,
                {u.reasoning, u.audio_completion, u.accepted_prediction, u.rejected_prediction}) &&
         IsConsistent(u);
}

namespace testing {

// All that a reader tells of a body.
struct Outcome {
  std::string relayed;
  Usage usage;
  std::string model;
  std::string reason, error_text;
  bool done = false, finish = false, error = false;
  uint64_t events = 0, unreadable = 0;
  std::vector<std::pair<uint32_t, std::string>> deltas;
  std::vector<TextKind> kinds;  // of deltas, one for one

  bool operator==(const Outcome&) const = default;

  // The text of all choices, in the order of the deltas.
  std::string Text() const {
    std::string text;
    for (const auto& delta : deltas) text += delta.second;
    return text;
  }
  std::map<uint32_t, std::string> TextOfChoices() const {
    std::map<uint32_t, std::string> texts;
    for (const auto& [choice, text] : deltas) texts[choice] += text;
    return texts;
  }
};

// Who wrote a body, and how it is framed.
struct Origin {
  Dialect dialect = Dialect::kOpenAi;
  Operation operation = Operation::kChat;
  BodyKind kind = BodyKind::kSse;
};

// Feeds `body` in pieces that end at `cuts` (ascending offsets).
inline Outcome Run(std::string_view body, const std::vector<size_t>& cuts, bool strip = false,
                   const Origin& origin = {}) {
  auto reader = StreamReader::Create(origin.dialect, origin.operation, origin.kind);
  reader->set_strip_usage(strip);
  Outcome outcome;
  size_t from = 0;
  const auto feed = [&](size_t to) {
    // A copy of its own, so that a view kept too long is seen by the address sanitizer.
    const std::string piece(body.substr(from, to - from));
    reader->Feed(piece, &outcome.relayed);
    from = to;
  };
  for (size_t cut : cuts) feed(cut);
  feed(body.size());
  reader->End(&outcome.relayed);
  outcome.usage = reader->usage();
  outcome.model = reader->model();
  outcome.reason = reader->finish_reason();
  outcome.done = reader->saw_done();
  outcome.finish = reader->saw_finish();
  outcome.error = reader->saw_error();
  if (reader->error() != nullptr) {
    const AnswerError& error = *reader->error();
    outcome.error_text = Concat({error.type, "|", error.code, "|", error.message});
  }
  outcome.events = reader->events();
  outcome.unreadable = reader->unreadable_events();
  for (auto& delta : reader->TakeDeltas()) {
    outcome.kinds.push_back(delta.kind);
    outcome.deltas.emplace_back(delta.choice, std::move(delta.text));
  }
  return outcome;
}

// Sanitizers make the same work ten times as long: of what is tried in every way, they try some.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSlow = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSlow = true;
#else
inline constexpr bool kSlow = false;
#endif
#else
inline constexpr bool kSlow = false;
#endif

inline std::vector<size_t> EveryByte(size_t size) {
  std::vector<size_t> cuts;
  for (size_t i = 1; i < size; ++i) cuts.push_back(i);
  return cuts;
}

// Gives a reader of events or frames the body in pieces, each in memory of its own, so that a view
// kept too long is seen by the address sanitizer. `look` sees each step, and `end` what the end of
// the body leaves. False when a step took nothing, or more than there was.
template <typename Reader, typename Look, typename End>
bool ReadInPieces(Reader* reader, std::string_view body, std::vector<size_t> cuts, Look look,
                  End end) {
  size_t from = 0;
  cuts.push_back(body.size());
  for (const size_t cut : cuts) {
    const std::string piece(body.substr(from, cut - from));
    for (std::string_view rest = piece; !rest.empty();) {
      const auto progress = reader->Read(rest);
      if (progress.consumed == 0 || progress.consumed > rest.size()) return false;
      look(progress);
      rest.remove_prefix(progress.consumed);
    }
    from = cut;
  }
  reader->End();
  end();
  return true;
}

inline std::vector<size_t> RandomCuts(Random* random, size_t size) {
  std::vector<size_t> cuts;
  const uint64_t longest = 1 + random->Below(random->Below(4) == 0 ? 8 : 2000);
  for (size_t at = random->Below(longest + 1); at < size; at += random->Below(longest + 1)) {
    cuts.push_back(at);
  }
  return cuts;
}

// True when every way to cut `body` (all 2-cuts when it is small, else seeded k-cuts) tells the
// same as all of it at once.
inline bool CutsDoNotMatter(std::string_view body, bool strip, uint64_t seed,
                            const Origin& origin = {}, size_t all_cuts_up_to = 4096) {
  const Outcome whole = Run(body, {}, strip, origin);
  if (!strip && whole.relayed != body) return false;
  if (Run(body, EveryByte(body.size()), strip, origin) != whole) return false;
  if (body.size() <= all_cuts_up_to) {
    for (size_t cut = 0; cut <= body.size(); ++cut) {
      if (Run(body, {cut}, strip, origin) != whole) return false;
    }
  }
  Random random(seed);
  for (int round = 0; round < 100; ++round) {
    if (Run(body, RandomCuts(&random, body.size()), strip, origin) != whole) return false;
  }
  return true;
}

// Every value of the document: its path, as "messages[2].content", and itself.
inline std::vector<std::pair<std::string, json::Value>> AllValues(const json::Document& document) {
  std::vector<std::pair<std::string, json::Value>> values = {{"", document.root()}};
  for (size_t i = 0; i < values.size(); ++i) {
    const auto [path, value] = values[i];
    size_t position = 0;
    for (json::Value member : value.members()) {
      std::string step = value.Is(json::Type::kArray)
                             ? Concat({"[", std::to_string(position++), "]"})
                             : Concat({".", member.key()});
      if (path.empty() && step[0] == '.') step.erase(0, 1);
      values.emplace_back(path + step, member);
    }
  }
  return values;
}

inline std::string Splice(std::string_view text, size_t begin, size_t end, std::string_view with) {
  std::string spliced(text.substr(0, begin));
  spliced.append(with).append(text.substr(end));
  return spliced;
}

inline constexpr std::string_view kSwaps[] = {"null",
                                              "0",
                                              "\"\"",
                                              "[]",
                                              "{}",
                                              "true",
                                              "-1",
                                              "1.5",
                                              "1e400",
                                              "\"x\"",
                                              "9223372036854775808",
                                              "[null]",
                                              "[{}]"};

// Calls `check(path, swapped)` for every value of the JSON `text`, replaced by each of kSwaps.
template <typename Check>
void ForEachSwap(std::string_view text, Check check) {
  json::Document document;
  if (!document.Parse(text)) return;
  for (const auto& [path, value] : AllValues(document)) {
    for (std::string_view swap : kSwaps) {
      check(path, Splice(text, value.begin_offset(), value.end_offset(), swap));
    }
  }
}

}  // namespace testing
}  // namespace weir::dialects

#endif  // WEIR_TESTS_DIALECTS_SUPPORT_H_
