// weir/ledger.h: one JSON line for each exchange: who used what, what it cost, and why.
//
// A ledger is what invoices are made from: text files of lines, each of which says all that is to
// be known of one exchange (a client's request, everything that was tried for it, and its answer).
// No prompt, no answer and no credential is in it.
//
//   char line[weir::ledger::kMaxLineBytes];
//   const size_t size = weir::ledger::FormatLine(exchange, line);
//   auto file = weir::ledger::File::Open("/var/log/gateway/ledger.jsonl", {}, now);
//   auto appended = (*file)->Append({line, size}, now);
//
// The line. An object with its members in this order, those without a value left out:
//   weir       the format's version, 1
//   id         32 hexadecimal digits: the exchange's own, whatever the provider calls it
//   time       when the request came, UTC: "2026-11-23T07:42:27.123456Z"
//   trace      the W3C trace that the request belongs to: id, parent (the caller's span), sampled
//   consumer, route, operation, stream, model (asked for), served (what it is called at the
//              backend), response_model (what the answer says of itself), backend, provider (of
//              the backend, in OpenTelemetry's words)
//   status     what the client was answered with; 499: it left
//   outcome    "ok"; "refused" before any backend was asked; else what became of the last attempt
//   usage      tokens: prompt, completion, cached and cache_write (of the prompt), reasoning (of
//   the
//              completion), audio_prompt, audio_completion, prompt_provenance,
//              completion_provenance; what is unknown is left out, never 0
//   cost       micro_usd (null: unknown), price: the row it was worked out by, so that anybody can
//              work it out again (CostOf)
//   cache      result, and of a hit what it saved: saved_prompt, saved_completion,
//              saved_micro_usd; similarity_ppm, age_ms
//   latency    microseconds: total_us, wait_us (in a line, for a limit or a backend), first_byte_us
//              (since the request came)
//   attempts   each: backend, status, outcome, sent_us (since the request came), took_us,
//              utilization (percent, as the backend told it)
//   limits     each: limit, admitted, shadow, cost, before, amount, remaining, retry_after_ms
//   dimensions the meter's, as an object of texts
//   explain    what Transaction::Explain says, where the policy asks for it, and where there is
//              room left in the line
// Readers pass over members that they do not know, so later releases may add some.
//
// Every byte of a text is escaped that could end a line, steer a terminal or turn a reader's eye
// (controls, DEL, C1, directional marks, line separators); what is not UTF-8 becomes U+FFFD; what
// is longer than kMaxTextBytes as written is cut between characters. So a line is one line, is
// JSON, and has at most kMaxLineBytes, whatever was put in.
//
// Threads: functions share nothing; a LineReader belongs to one thread; a File may be used by any.
// Cost: formatting an ordinary exchange takes well under a microsecond and allocates nothing.

#ifndef WEIR_LEDGER_H_
#define WEIR_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"

namespace weir::ledger {

inline constexpr size_t kMaxTextBytes = 192;  // of one text, as written between its quotes
inline constexpr size_t kMaxAttempts = 16;    // of each list the first so many are written
inline constexpr size_t kMaxLimits = 16;
inline constexpr size_t kMaxDimensions = 16;
inline constexpr size_t kMaxLineBytes = size_t{32} << 10;

// ---- What a line says. Views of whoever fills it in ----

// Absent is unknown, never 0. A part is always inside its whole.
struct Usage {
  std::optional<uint64_t> prompt{}, completion{};
  std::optional<uint64_t> cached{}, cache_write{};  // of the prompt
  std::optional<uint64_t> reasoning{};              // of the completion
  std::optional<uint64_t> audio_prompt{}, audio_completion{};
  std::string_view prompt_provenance{}, completion_provenance{};  // "exact", "provider", …
};

// Micro-USD per million tokens; absent is unknown, but for the parts of the prompt, which cost what
// the prompt does where they have no price of their own.
struct Price {
  std::optional<uint64_t> input{}, cached_input{}, cache_write{}, output{};
};

// Micro-USD, rounded up once, saturating: a pure function of its arguments. nullopt when a price
// that it takes is not known, or nothing of the usage is.
std::optional<uint64_t> CostOf(const Price& price, const Usage& usage);

struct Cost {
  std::optional<uint64_t> micro_usd{};  // nullopt: unknown
  // The row it was worked out by: whose, from where ("policy", or the date of the built-in table).
  std::string_view price_model{}, price_source{};
  std::optional<Price> price{};
};

struct Attempt {
  std::string_view backend{};
  int status = 0;  // 0: it did not answer
  std::string_view outcome{};
  int64_t sent_us = 0, took_us = 0;
  std::optional<uint32_t> utilization{};
};

struct LimitDecision {
  std::string_view limit{};
  bool admitted = false;
  bool shadow = false;
  uint64_t cost = 0, before = 0, amount = 0, remaining = 0;
  std::optional<uint64_t> retry_after_ms{};
};

struct CacheUse {
  std::string_view result{};  // "hit", "miss", …; empty: no cache was asked
  std::optional<uint64_t> saved_prompt{}, saved_completion{}, saved_micro_usd{};
  std::optional<uint64_t> similarity_ppm{}, age_ms{};
};

struct Latency {
  int64_t total_us = 0;
  int64_t wait_us = 0;
  std::optional<int64_t> first_byte_us{};
};

struct Dimension {
  std::string_view name{}, value{};
};

struct Trace {
  uint64_t id_hi = 0, id_lo = 0, parent = 0;
  bool sampled = false;
};

struct Exchange {
  uint64_t id_hi = 0, id_lo = 0;
  int64_t unix_ns = 0;  // written in microseconds
  std::optional<Trace> trace{};
  std::string_view consumer{}, route{}, operation{};
  bool stream = false;
  std::string_view model{}, served{}, response_model{}, backend{}, provider{};
  int status = 0;
  std::string_view outcome{};
  std::optional<Usage> usage{};  // nothing: nothing was billed
  std::optional<Cost> cost{};
  CacheUse cache{};
  Latency latency{};
  absl::InlinedVector<Attempt, 4> attempts{};
  absl::InlinedVector<LimitDecision, 4> limits{};
  absl::InlinedVector<Dimension, 4> dimensions{};
  std::string_view explain{};  // JSON in printable ASCII; a LineReader passes over it
};

// Writes the line with its line feed and returns its size; 0, and nothing written, when `buffer`
// has fewer than kMaxLineBytes.
size_t FormatLine(const Exchange& exchange, absl::Span<char> buffer);

// ---- Reading ----

class LineReader {
 public:
  LineReader();
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Reads one line, with or without its line feed. The views are into `line` and this reader, until
  // the next Read. False for anything that is no line of a ledger: torn, not JSON, of another
  // format, or with a member that is not what it should be; `exchange` is then unspecified.
  bool Read(std::string_view line, Exchange* exchange);

 private:
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

struct ReadCounts {
  uint64_t lines = 0;   // that were told
  uint64_t poison = 0;  // that were no lines of a ledger, and passed over
};

// Tells `take` of every exchange in `text`, in order. What a dying process left without its end,
// with another's line right behind it, costs itself and no other: a line's beginning can be found
// in the middle, for no text inside a line looks like it.
void ReadLines(std::string_view text, absl::FunctionRef<void(const Exchange&)> take,
               ReadCounts* counts);

// ---- Telemetry ----

enum class OtlpKind : uint8_t {
  kSpans = 1,       // ExportTraceServiceRequest, for /v1/traces
  kLogRecords = 2,  // ExportLogsServiceRequest, for /v1/logs
};

// What OTLP/HTTP takes in JSON, one span or log record for each exchange in `text`, in order; empty
// when there is none. Attributes are those of OpenTelemetry's GenAI conventions ("Semantic
// conventions for generative client AI spans", and the event gen_ai.client.inference.operation.
// details), then weir's own and the meter's dimensions; attempts are events of the span. A span
// belongs to the request's trace, under the caller's span; where there was none it is a trace of
// its own, with the exchange's id. Of traces that their callers do not record there is no span.
// `resource`: attributes like service.name.
std::string OtlpJson(OtlpKind kind, std::string_view text,
                     absl::Span<const std::pair<std::string_view, std::string_view>> resource,
                     ReadCounts* counts);

// ---- Public models ----

// Prices and bounds of models that anybody can use, by their vendors' lists on kPublicModelsDate; a
// policy's "models" go before them. Providers' discounts, batches and fine-tuned models are not in
// it.
inline constexpr std::string_view kPublicModelsDate = "2026-11-23";

struct PublicModel {
  std::string_view name;
  uint64_t prompt_max = 0;  // the row is of prompts of at most so many tokens; 0 = of any
  uint64_t context = 0;     // tokens; 0 = not known here
  uint64_t max_output = 0;
  Price price{};
  std::string_view source{};  // where the row was read
};

// By name, or by name without the date at its end ("gpt-4o-2024-08-06", "claude-sonnet-4-5-
// 20250929"), for a prompt of so many tokens. Null when the table does not know the model.
const PublicModel* FindPublicModel(std::string_view name, uint64_t prompt);

absl::Span<const PublicModel> PublicModels();  // by name, then by prompt_max

// ---- Files ----

// What is done with a line that neither the disk nor the spool takes, and with requests meanwhile.
enum class OnFull : uint8_t {
  kDropAndCount,  // it is lost, and counted
  kRefuse,        // Accepts turns false while there is still room for exchanges under way
};

struct FileOptions {
  uint64_t rotate_bytes = 0;    // a file of so many gives its name to a new one; 0 = never
  int64_t rotate_every_ns = 0;  // and at each multiple of this since 1970 (kDay: midnight, UTC)
  size_t spool_bytes = size_t{4} << 20;  // memory for lines that the disk does not take
  OnFull on_full = OnFull::kDropAndCount;
};

enum class Appended : uint8_t {
  kWritten,  // the system has it: it survives this process, though not the machine (see Sync)
  kSpooled,  // this process has it, and tries again
  kDropped,
};

struct FileStatus {
  uint64_t written_lines = 0, written_bytes = 0;
  uint64_t spooled_lines = 0, spooled_bytes = 0;  // now
  uint64_t dropped_lines = 0;
  uint64_t failed_writes = 0;  // that wrote nothing, or not all
  uint64_t rotations = 0;      // by this process
  uint64_t torn_tails = 0;     // ends that somebody else left without a line feed
  int last_error = 0;          // errno of the last failed write
};

// A ledger file that any number of processes of one machine append to at once, each with its own
// File: one write call a line (O_APPEND), no lock between them. A line that Append says is written
// is in the file exactly once, whoever is killed when; at worst a torn line stands between two, and
// readers pass over it (ReadLines).
//
// A file that reached rotate_bytes or the end of its time is renamed, "FILE.20261123T000000Z", and
// a new one made; others who hold it go on in it for a second at most. Renaming it from outside
// does the same. A disk that is full or fails sends lines to the spool, in order, and one of the
// next calls takes them from there. Memory: spool_bytes, touched when needed. Regular files on
// local file systems only: network ones do not append at once.
//
// Forking is fine; what is in the spool stays the parent's. Where a limit on file sizes is set
// (RLIMIT_FSIZE) the host has to ignore SIGXFSZ.
class File {
 public:
  // Makes the file if need be, readable by its owner and group. NOT_FOUND, PERMISSION_DENIED,
  // RESOURCE_EXHAUSTED as the system says; FAILED_PRECONDITION: it is no regular file;
  // INVALID_ARGUMENT: a spool below kMaxLineBytes or above 1 GiB.
  static absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path,
                                                    const FileOptions& options, Now now);
  virtual ~File() = default;  // tries the spool once more; what it leaves is lost

  // One line with its line feed, as FormatLine makes it. INVALID_ARGUMENT: it has none, or another
  // one, or is too long. RESOURCE_EXHAUSTED, with kRefuse: neither disk nor spool takes it.
  virtual absl::StatusOr<Appended> Append(std::string_view line, Now now) = 0;

  // Whether requests may be accepted, so that their lines find room; tries the spool. Always with
  // kDropAndCount.
  virtual bool Accepts(Now now) = 0;

  // Writes the spool. RESOURCE_EXHAUSTED or INTERNAL: some is left.
  virtual absl::Status Flush(Now now) = 0;

  // Flush, then waits until the disk has everything (fdatasync). When the disk fails at that, what
  // was in its cache may be gone though a second try would say otherwise: the file is renamed as at
  // its end, a new one is made, and INTERNAL is the answer.
  virtual absl::Status Sync(Now now) = 0;

  virtual FileStatus status() const = 0;
};

}  // namespace weir::ledger

#endif  // WEIR_LEDGER_H_
