// weir/replay.h: an answer without its wire: what a cache may keep of it, and writing it again.
//
//   auto reader = weir::dialects::StreamReader::Create(dialect, operation, kind);
//   reader->set_keep(max_bytes);                      // before the first Feed
//   reader->Feed(bytes, &to_client); … reader->End(&to_client);
//   KeptAnswer kept;
//   if (status == 200 && reader->TakeKept(&kept) == NotKept::kNothing) Store(kept.Serialize());
//   …
//   auto kept = KeptAnswer::Parse(stored);            // for another client, later
//   auto replayed = WriteReplay(*kept, {.dialect = dialect, .operation = operation,
//                                       .stream = request.stream, …});
//
// What is kept is content, not bytes: a hit is written anew, as JSON or as a stream, whichever the
// client asked for, in the form in which its provider writes it. (Whoever replays bytes replays
// framing, ids and half of what was cut.)
//
// What may be kept is an allow-list: an answer is kept only if every member of every object in it
// is known to carry nothing but text content, or metadata that a client can do without (ids, times,
// models, usage, fingerprints, tiers, filter results that filtered nothing, the restated request of
// a responses object), or is empty (null, "", [] or {}). A field that a provider introduces
// tomorrow is not kept until it is known here. And only what ended as it should: its last event
// came, every choice finished of itself, nothing was unreadable. A status other than 2xx is the
// caller's to refuse.
//
//   OpenAI, Azure chat,   every choice finished with "stop"; of a stream [DONE]
//   completions
//   responses             status "completed", one message with one text, that its deltas, .done
//                         events and the last event agree on; thoughts only if nothing is said of
//                         them; of a stream response.completed
//   Anthropic             one text, "end_turn" or "stop_sequence"; of a stream message_stop
//   Gemini                every candidate finished with "STOP"; an array with its bracket. Its
//                         thought signatures of text, which need not be sent back, are left out
//   Bedrock converse      one text, "end_turn" or "stop_sequence"; of a stream metadata
//   Bedrock invoke,       never: kDialect
//   embeddings
//
// Threads: a KeptAnswer belongs to one thread; the functions share nothing. Cost: a reader that
// keeps judges the events that it parses anyway, and copies the text; one that does not pays
// nothing. Writing is linear, one pass.
//
// Limits: kMaxKeptChoices choices; what a replay restates of a request (a responses object's
// instructions, tools, temperature …) is written as null or empty; a replay's ids are unknown to
// the provider, so that no later request may refer to them.

#ifndef WEIR_REPLAY_H_
#define WEIR_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "weir/base.h"
#include "weir/usage.h"

namespace weir::dialects {

inline constexpr size_t kMaxKeptChoices = 128;
inline constexpr size_t kMaxKeptWordBytes = 256;  // of a model, reason or stop sequence

// One choice: all that it said, and why it ended.
struct KeptChoice {
  std::string text;           // UTF-8, not empty
  std::string finish_reason;  // in the provider's words: "stop", "end_turn", "STOP", "completed"
  std::string stop_sequence;  // Anthropic's: the one that ended it; empty: none
};

// What a cache keeps of an answer. It holds no id and no time: those are a replay's own.
struct KeptAnswer {
  std::string model;                // that served it; empty when not stated
  Usage usage;                      // as the provider stated it
  std::vector<KeptChoice> choices;  // by their index

  // A version, then the fields; some 20 bytes beside the texts. Parse takes what Serialize gives of
  // any answer that a reader kept.
  std::string Serialize() const;
  // INVALID_ARGUMENT for anything that Serialize does not give: bytes may be hostile, or written by
  // another version. There is no checksum: a store that may lose bits has its own.
  static absl::StatusOr<KeptAnswer> Parse(std::string_view bytes);
};

// Why an answer is not kept: the first reason that was seen.
enum class NotKept : uint8_t {
  kNothing,         // nothing is against it
  kIncomplete,      // it was cut, or a choice did not finish, or the body has not ended
  kError,           // an error, whole or in the stream
  kFinishReason,    // it ended otherwise than it should: length, content_filter, max_tokens …
  kToolCall,        // tools or functions, the client's or the provider's
  kRefusal,         // it says that it was refused
  kReasoning,       // thoughts
  kUnknownContent,  // logprobs, annotations, audio, citations, a member nobody knows, events that
                    // do not belong together, several texts where one is usual
  kUnreadable,      // something in it could not be read
  kEmpty,           // a choice said nothing
  kTooLarge,        // more text, or choices, than asked for
  kDialect,         // nothing of this operation is kept, or keeping was not asked for
};
std::string_view NotKeptName(NotKept reason);  // "nothing", "incomplete", "finish_reason", …

// How to write a kept answer.
struct Replay {
  Dialect dialect = Dialect::kOpenAi;  // of the client; of the family that wrote the answer
  Operation operation = Operation::kChat;
  bool stream = false;
  bool include_usage = false;  // OpenAI's streams: stream_options.include_usage
  bool json_array = false;     // Gemini's streams: not asked for with alt=sse
  std::string_view id_seed{};  // 32 hexadecimal digits, fresh for each replay: ids are made of it
  int64_t created_unix_s = 0;  // when it is replayed
  std::string_view model{};    // to be shown; empty: the one that served it
};
struct Replayed {
  std::string content_type;
  std::string body;
};

// Writes the answer as its provider would: JSON, or the events of a stream, the text in pieces of
// at most kReplayPieceBytes. The usage is the stored one, all of its prompt marked as read from a
// cache. A usage of which nothing is known is left out, where clients do without (Anthropic's do
// not: they read 0).
//
// INVALID_ARGUMENT when this operation is not kept (see above), the answer is not of this dialect
// (its reasons are another's words, or it has more choices than the dialect has), or the seed is
// not 32 hexadecimal digits.
inline constexpr size_t kReplayPieceBytes = 256;
absl::StatusOr<Replayed> WriteReplay(const KeptAnswer& answer, const Replay& replay);

}  // namespace weir::dialects

#endif  // WEIR_REPLAY_H_
