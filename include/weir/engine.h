// weir/engine.h: the transaction: the one place where the capabilities meet.
//
// A host feeds a Transaction what it saw (request head, body, the backend's answer) and asks Next,
// which decides at `now` and answers with one action. Feeding is bookkeeping and never decides.
// Nothing here opens a socket, reads a clock or waits.
//
//   auto engine = weir::engine::Engine::Create(policy, {.seed = seed});
//   auto txn = (*engine)->Begin();
//   txn->RequestHead("POST", "/v1/chat/completions", "10.0.0.7");
//   txn->RequestHeader("authorization", "Bearer vk-red");
//   txn->RequestBody(body); txn->RequestEnd();
//   auto action = txn->Next(now);   // kForward: send txn->body() to txn->url() + txn->target()
//
// One attempt at one backend is one record with exactly one end: settled, failed or released, by
// whichever comes first: the end of the answer, a failure, or the end of the transaction. So a
// client that hangs up, a retry and a crash of the host each charge what they should, once.
//
// What is charged: while a request runs, its reservation; at the end the usage that the provider
// stated; when it stated none, weir's own count of the prompt and of the text that passed. A
// request that no backend answered with success is charged no tokens, only the request itself.
//
// Threads: Engine from any thread; a Transaction from one at a time. A transaction may outlive its
// engine. Limits: Bounds below, and the policy's bounds.body.

#ifndef WEIR_ENGINE_H_
#define WEIR_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"
#include "weir/metrics.h"
#include "weir/policy.h"

namespace weir::engine {

// Bounds on what a request and an answer may make weir hold.
inline constexpr size_t kMaxHeaders = 256;
inline constexpr size_t kMaxHeaderBytes = size_t{64} << 10;  // names and values of one message
inline constexpr size_t kMaxTargetBytes = size_t{16} << 10;

struct Options {
  uint32_t max_counters = 16384;
  uint64_t state_bytes = 0;  // 0 = enough for max_counters and the policy's caches
  uint64_t seed = 0;
  // The file of all hot state, shared by the workers of a machine (weir/state.h), made on first use
  // with state_bytes and seed; one that exists keeps its own. Empty: this process's own memory.
  std::string state_file = {};
};

// The numbers are those of weir.h.
enum class ActionKind : uint8_t {
  kContinue = 1,
  kForward = 2,
  kReply = 3,
  kCall = 4,
  kWait = 5,
  kFinish = 6,
  kDone = 7,
};
enum class Relay : uint8_t { kNothing = 0, kInput = 1, kView = 2 };
enum class Failure : uint8_t { kConnect = 1, kTimeout = 2, kReset = 3 };

// What the host is to do next. The views are Transaction's.
struct Action {
  ActionKind kind = ActionKind::kContinue;
  int status = 0;
  Relay relay = Relay::kNothing;
  uint32_t attempt = 0;
  uint64_t call_id = 0;
  int64_t deadline_mono_ns = 0;
  int64_t wake_mono_ns = 0;  // kForward: Next again then, if no answer has begun; 0 = no need
  bool parallel = false;     // kForward: beside the attempts under way, not instead of them
};

struct HeaderEdit {
  enum class Operation : uint8_t { kSet = 1, kRemove = 2, kAdd = 3 };
  Operation operation = Operation::kSet;
  std::string_view name;     // lower case
  std::string_view value{};  // views as those of Transaction
};

class Transaction {
 public:
  virtual ~Transaction() = default;  // settles what is still open, at the last `now` it was given

  // Feeding. FAILED_PRECONDITION when it does not belong here in the order of calls.
  virtual absl::Status RequestHead(std::string_view method, std::string_view target,
                                   std::string_view client) = 0;
  virtual absl::Status RequestHeader(std::string_view name, std::string_view value) = 0;
  virtual absl::Status Attribute(std::string_view name, std::string_view value) = 0;
  virtual absl::Status RequestBody(std::string_view bytes) = 0;
  virtual absl::Status RequestEnd() = 0;
  // Which attempt (Action::attempt) is fed from here on; the one sent last if nobody says.
  virtual absl::Status ResponseFrom(uint32_t attempt) = 0;
  virtual absl::Status ResponseHead(int status) = 0;
  virtual absl::Status ResponseHeader(std::string_view name, std::string_view value) = 0;
  virtual absl::Status ResponseBody(std::string_view bytes) = 0;
  virtual absl::Status ResponseEnd() = 0;
  virtual absl::Status ResponseFailed(Failure failure) = 0;
  // To a CALL, one or the other. FAILED_PRECONDITION: no such call is open (any more): its deadline
  // passed, and the request went on.
  virtual absl::Status CallResult(uint64_t call_id, int status, std::string_view body) = 0;
  virtual absl::Status CallVector(uint64_t call_id, absl::Span<const float> vector) = 0;

  // The client is gone: settles what is still open, at `now`, as destroying does; Explain then
  // tells what it was charged. Does nothing to a transaction that has ended.
  virtual void ClientLeft(Now now) = 0;

  // Deciding. FAILED_PRECONDITION when nothing was fed that could be decided upon.
  virtual absl::StatusOr<Action> Next(Now now) = 0;

  // Views into the last action; valid until the next call that is not const.
  virtual std::string_view url() const = 0;     // FORWARD, CALL: scheme://host:port
  virtual std::string_view target() const = 0;  // FORWARD, CALL: path and query
  virtual std::string_view body() const = 0;    // to send, to reply with, or to relay
  virtual absl::Span<const HeaderEdit> headers() const = 0;

  // Time that weir took in this exchange, as the host measured it round its calls: it reads no
  // clock. All of it together becomes one observation of weir.overhead when this is destroyed; with
  // the meter's "overhead_stages" also what was told before an answer began ("request"), and since
  // ("response").
  virtual void AddOverhead(int64_t ns) = 0;

  // What was decided and why, as one JSON object without credentials or prompt text.
  virtual std::string Explain() const = 0;

  // The exchange's line for a ledger (weir/ledger.h), line feed included, into `line`, which has at
  // least ledger::kMaxLineBytes; the size is returned. As often as it is asked for, it is the same
  // line of the same id. Costs nothing when it is not asked for. FAILED_PRECONDITION: the
  // transaction has not ended; OUT_OF_RANGE: `line` is too small.
  virtual absl::StatusOr<size_t> LedgerLine(absl::Span<char> line) = 0;
};

// Which answers PurgeCache takes out of a cache, and what `what` is then. The numbers are those of
// weir_caching.h.
enum class Purge : uint8_t {
  kAll = 0,        // `what`: empty
  kPartition = 1,  // what the expressions of the cache's `partition` give, one a line
  kModel = 2,      // the model that the requests asked for
  kEntry = 4,      // "entry" as Explain tells it of a hit
};

class Engine {
 public:
  // FAILED_PRECONDITION names a secret that has no value.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(
      std::shared_ptr<const policy::Policy> policy, const Options& options);
  virtual ~Engine() = default;

  // Puts another policy in force for transactions that begin from now on. Counters, circuits and
  // cursors of entries that keep their names are kept. On error nothing changed.
  virtual absl::Status Reload(std::shared_ptr<const policy::Policy> policy) = 0;

  virtual std::unique_ptr<Transaction> Begin() = 0;

  // Another amount for the policy's limit of this name: limits::Limiter::Override, of `key`, as the
  // limit's key expression gives it, or (nullopt) of every key without one of its own. Of a limit
  // in usd the amount is in micro-USD. NOT_FOUND: the policy in force has no such limit;
  // FAILED_PRECONDITION: its amount is an expression, asked for each request.
  virtual absl::Status OverrideLimit(std::string_view limit, std::optional<std::string_view> key,
                                     uint64_t amount, int64_t for_ns, Now now) = 0;

  // Takes answers out of the cache of this name, in all processes that share the state; how many.
  // What is kept meanwhile may stay. Takes a microsecond or two an answer; transactions go on.
  // NOT_FOUND: the policy in force has no such cache; INVALID_ARGUMENT: `what` is not what `which`
  // wants.
  virtual absl::StatusOr<uint64_t> PurgeCache(std::string_view cache, Purge which,
                                              std::string_view what) = 0;

  // What all processes that share the state have counted: weir/metrics.h. With a policy whose
  // meters have other dimensions, what is labelled with them begins anew.
  virtual std::string MetricsText(metrics::TextFormat format) const = 0;
  std::string MetricsText() const { return MetricsText(metrics::TextFormat::kPrometheus); }
  // A batch to send, and that it arrived: metrics::Registry::Export. Where options.dimensions are
  // empty, labels are called as Azure API Management calls its dimensions ("Backend ID").
  virtual absl::StatusOr<metrics::Batch> ExportMetrics(metrics::ExportFormat format,
                                                       const metrics::ExportOptions& options,
                                                       Now now) = 0;
  virtual absl::Status AcknowledgeMetrics(metrics::ExportFormat format, uint64_t number) = 0;

  // Backends, their circuits, pools, the limits that the policy in force sets, and the caches.
  virtual std::string StatusJson(Now now) const = 0;
  // Circuits that tripped, half-opened or were reset since the change of that number, in all
  // processes that share the state, as breaker::ChangesJson tells them: for alerts and logs.
  virtual std::string ChangesJson(uint64_t since) const = 0;
};

}  // namespace weir::engine

#endif  // WEIR_ENGINE_H_
