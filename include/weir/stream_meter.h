// weir/stream_meter.h: how many tokens an answer comes to, told as it passes.
//
// Stands alone: it needs no policy and no engine. Bytes of the body go in as they come from the
// provider, in any pieces; what is stated and what was counted can be asked for at any time.
//
//   weir::metering::StreamMeterOptions options;
//   options.dialect = weir::dialects::Dialect::kOpenAi;
//   options.content_type = "text/event-stream";
//   options.content_encoding = "gzip";
//   options.tokenizer = weir::tokens::Find("o200k_base");
//   auto meter = weir::metering::StreamMeter::Create(options);
//   meter->Feed(bytes, nullptr);           // as often as bytes come
//   meter->End(nullptr);                   // or nothing, when the client or the provider left
//   auto metered = meter->Read();          // metered.completion, metered.provenance
//
// A provider's statement counts when it makes one that can be; otherwise the text that passed is
// counted: content, refusals, thoughts that are shown, names and arguments of tool calls, of all
// choices, each of them by an incremental counter of its own. No text is kept.
//
// Threads: a meter belongs to one thread. Cost: one pass; see weir/usage.h, to which comes
// counting. Memory: of a stream that waits less than 1 KiB while it writes one text; some 100 bytes
// for each further choice, kind or tool call that it writes at once, of which at most 16 are told
// apart at a time (the seam of a further one may cost one token, as may one at each 64 KiB of a
// text when the tokenizer was loaded from a file); within an event, a few times max_event_bytes. A
// JSON body is kept, up to max_body_bytes, and read at its end. Decoding takes what its library
// takes: some 40 KiB for gzip and deflate, up to 16 MiB for br, 8 MiB for zstd.

#ifndef WEIR_STREAM_METER_H_
#define WEIR_STREAM_METER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "weir/tokens.h"
#include "weir/usage.h"

namespace weir::metering {

struct StreamMeterOptions {
  dialects::Dialect dialect = dialects::Dialect::kOpenAi;
  dialects::Operation operation = dialects::Operation::kChat;
  // The header fields of the answer; used by Create only. An encoding is undone for reading; what
  // is relayed stays as it came.
  std::string_view content_type = "text/event-stream";
  std::string_view content_encoding;

  // Counts the text when the provider states nothing. Null: a token for each three bytes. Must
  // outlive the meter.
  const tokens::Tokenizer* tokenizer = nullptr;
  bool tokenizer_is_exact = true;  // it is the model's own, not a stand-in

  // The model's name and whether the request declares functions, used by Create only: what is
  // billed beside the texts depends on them. Without a name nothing is added to the texts.
  std::string_view model;
  bool declares_functions = false;

  // As StreamReader::set_strip_usage; not for bodies that are encoded.
  bool strip_usage = false;

  // As StreamReader::set_hold_events, for a stream that may be ended early; not for bodies that are
  // encoded.
  bool hold_events = false;

  // As StreamReader::set_keep: text of which the content is to be kept; 0: nothing.
  size_t keep_bytes = 0;

  size_t max_event_bytes = dialects::kMaxEventBytes;
  size_t max_body_bytes = dialects::kMaxBodyBytes;
  // Of an encoded body, decoded; and of bytes decoded to bytes received, beyond the first MiB.
  uint64_t max_decoded_bytes = uint64_t{1} << 30;
  uint64_t max_decoded_ratio = 256;
};

// Why (the rest of) a body was not read.
enum class Unread : uint8_t {
  kNothing,          // it was
  kUnknownEncoding,  // nobody knows it, or weir was built without it
  kCorruptEncoding,
  kTooLarge,  // beyond max_decoded_bytes or max_decoded_ratio
};
std::string_view UnreadName(Unread unread);  // "", "unknown_encoding", …

struct Metered {
  dialects::Usage usage;  // what the provider stated

  // What the answer comes to, never 0 for an answer that says something:
  // - as stated, kProvider;
  // - not stated, or a statement that cannot be: what was counted, and the marks that the model
  //   writes round texts and calls, as far as they are known (lib/metering/answer_frame.h); kExact
  //   when the tokenizer is exact, the stream came to its end, and bills showed that nothing else
  //   is billed (for thoughts that are not shown, for instance); else kEstimated;
  // - not read: what was counted, and a token for each two bytes of an encoding that came unread,
  //   for each four of an event that did; kEstimated.
  uint64_t completion = 0;
  dialects::Provenance provenance = dialects::Provenance::kEstimated;

  uint64_t counted = 0;     // tokens of the text that was seen, whatever is stated
  uint64_t text_bytes = 0;  // its size
  bool complete = false;    // the body's own last word came, whether or not End was called
  bool error = false;       // the body tells of an error
  Unread unread = Unread::kNothing;
  // usage.anomaly; or the completion stated is below what was counted: below all of it when the
  // tokenizer is exact, below half of it otherwise. Below half of it, or 0, it is not believed.
  bool anomaly = false;
};

class StreamMeter {
 public:
  static std::unique_ptr<StreamMeter> Create(const StreamMeterOptions& options);
  virtual ~StreamMeter() = default;

  // As of StreamReader: `relay` gets the bytes to pass on; may be null.
  virtual void Feed(std::string_view bytes, std::string* relay) = 0;
  // As of StreamReader: up to the end of the first event. All of them when the body is encoded.
  virtual size_t FeedEvent(std::string_view bytes, std::string* relay) = 0;
  virtual void End(std::string* relay) = 0;

  // At any time, also after a client or a provider left without End. Counting what is pending takes
  // a moment: not for every piece.
  virtual Metered Read() const = 0;

  // The size of the text that was seen, and what of the body is not read, so far. At once.
  virtual uint64_t text_bytes() const = 0;
  virtual Unread unread() const = 0;

  // As StreamReader::TakeKept; kUnreadable when the body's encoding could not be read.
  virtual dialects::NotKept TakeKept(dialects::KeptAnswer* kept) = 0;

  // What else the answer tells; null when its encoding is unknown.
  virtual const dialects::StreamReader* reader() const = 0;
};

}  // namespace weir::metering

#endif  // WEIR_STREAM_METER_H_
