// weir/policy.h: the policy document: JSON text in, a validated and frozen Plan out.
//
// One pass reads everything and reports every fault at once, each with its line and column, the
// path of the field, what was expected and the nearest known word. What is read is turned into the
// form that the request path uses: names become indices, expressions become programs, durations
// become nanoseconds. Nothing here is looked up by name while a request runs, except models.
//
//   std::vector<weir::policy::Fault> faults;
//   auto policy = weir::policy::Policy::Parse(text, &faults);
//   if (policy == nullptr) for (const auto& f : faults) report(weir::policy::FaultText(f));
//
// Threads: a Plan is immutable and shared. Cost: milliseconds, at load. Limits: 16 MiB of text,
// 10,000 entries a section.
//
// This release reads the sections weir, pepper, bounds, models, consumers, credentials, backends,
// pools, limits, caches, meters, ledger, headers and routes. Words of the contract that it does not
// carry out yet are refused by name, never ignored.

#ifndef WEIR_POLICY_H_
#define WEIR_POLICY_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "weir/auth.h"
#include "weir/balance.h"
#include "weir/base.h"
#include "weir/breaker.h"
#include "weir/cache.h"
#include "weir/dialects.h"
#include "weir/expr.h"
#include "weir/limits.h"
#include "weir/meaning.h"

namespace weir::json {
class Document;
}

namespace weir::policy {

// One thing that is wrong with a document.
struct Fault {
  size_t offset = 0, line = 1, column = 1;
  std::string path;  // "limits.per-team.per"; empty: the document as a whole
  std::string message;
};
// "3:14: limits.per-team.per: …"
std::string FaultText(const Fault& fault);

// A value that the host looks up: from its environment, or from a file.
struct Secret {
  enum class Kind : uint8_t { kEnv = 1, kFile = 2 };
  Kind kind = Kind::kEnv;
  std::string name;
  std::optional<std::string> value;
};

// Literal text, or a secret by index.
struct Text {
  std::string literal;
  int secret = -1;
};

struct Model {
  std::string name;
  std::string encoding;     // a name that tokens::Find knows
  uint64_t context = 0;     // tokens; 0 = unknown
  uint64_t max_output = 0;  // tokens; 0 = unknown
  std::vector<std::string> aliases;
  // Micro-USD per million tokens; absent = unknown.
  std::optional<uint64_t> price_input, price_cached_input, price_cache_write, price_output;
};

struct Credential {
  std::string header;  // lower case
  Text value;
};

struct Backend {
  std::string name;
  std::string origin;     // "https://east.example.com"
  std::string base_path;  // "" or "/prefix"
  dialects::Dialect dialect = dialects::Dialect::kOpenAi;
  int credential = -1;
  std::string api_version;
  std::string model;  // what the model is called there; empty = as the client calls it
  std::vector<std::pair<std::string, std::string>> models;  // the same, by the client's name
  int64_t timeout_ns = 0;
  breaker::RuleSet breaker;
  int capacity_rule = -1;        // index into Plan::rules
  uint32_t utilization_max = 0;  // percent that the backend may say it is used; 0 = never mind
};

// Which answers and failures are worth another backend.
struct Retry {
  uint32_t attempts = 1;              // at most, the first included
  uint32_t attempts_per_backend = 1;  // at most, each
  std::vector<breaker::StatusRange> statuses;
  bool on_connect = false, on_timeout = false, on_reset = false;
  int64_t deadline_ns = 0;          // of all attempts together, waits included; 0 = none
  int64_t if_failed_within_ns = 0;  // a slower failure is not tried again; 0 = however slow
};

// Where a request goes that its pool could not serve: once, in the order given. The fallbacks of
// that pool are not followed.
struct Fallback {
  uint32_t pool = 0;  // index into Plan::pools
  std::string model;  // empty: the model that was asked for
};

// What becomes of a request when no backend can take it. kLastResort: the backend whose rest ends
// soonest is asked all the same.
enum class AllDown : uint8_t { kRefuse, kWait, kLastResort };

// When a second backend is asked beside one that has not begun to answer: after a time, or when it
// takes longer than `below` of `below` + 1 answers of the pool did lately. Neither: never.
struct Hedge {
  int64_t after_ns = 0;
  uint32_t below = 0;
};

// Who came to a member comes to it again while it is usable. By a cookie that weir sets, or by a
// key, remembered for `ttl_ns` after its last use. Neither: no affinity.
struct SessionAffinity {
  std::string cookie;  // its name
  std::unique_ptr<expr::Program> key;
  int64_t ttl_ns = kHour;
  // The id of each answer is a key too, for what refers to it later: previous_response_id, a
  // thread.
  bool learns_ids = false;
};

struct Pool {
  std::string name;
  balance::Strategy strategy = balance::Strategy::kWeighted;
  balance::PoolOptions options;             // without strategy and seeds
  std::unique_ptr<expr::Program> hash_key;  // kHash; null: what the prompt begins with
  SessionAffinity affinity;
  std::vector<balance::Member> members;
  std::vector<uint32_t> backends;  // index into Plan::backends, one per member
  Retry retry;
  Hedge hedge;
  std::vector<Fallback> fallbacks;
  AllDown all_down = AllDown::kRefuse;
  int64_t max_wait_ns = 10 * kSecond;  // kWait
};

enum class Unit : uint8_t {
  kTokens,
  kPromptTokens,
  kCompletionTokens,
  kRequests,
  kUsd,          // micro-USD: by the model's row, else the table of public models
  kConcurrency,  // requests under way
  kCost,         // what Limit::cost makes of the usage
};
enum class OutputReserve : uint8_t { kNone, kMaxTokens, kLearned, kFixed };
enum class MissingKey : uint8_t { kShared, kDeny, kSkip };
// What becomes of a request that a limit has no room for. kClamp and kCut are about its output:
// what it may write at most is lowered to what is left, or its stream is ended when all is used up.
enum class OnExceeded : uint8_t { kReject, kWait, kClamp, kCut, kDowngrade };

struct Limit {
  std::string name;
  uint32_t rule = 0;  // index into Plan::rules
  std::unique_ptr<expr::Program> key;
  Unit unit = Unit::kTokens;
  std::unique_ptr<expr::Program> cost;    // kCost: over UsageNames()
  std::unique_ptr<expr::Program> amount;  // null: the rule's own; no number: nothing is let through
  std::unique_ptr<expr::Program> weight;  // of a share; null: 1 for each key
  bool reserve_prompt = true;
  OutputReserve reserve_output = OutputReserve::kLearned;
  uint64_t reserve_output_tokens = 0;  // kFixed
  int status = 429;
  std::string message;  // empty: weir's own words
  OnExceeded on_exceeded = OnExceeded::kReject;
  int64_t max_wait_ns = 0;      // kWait
  uint32_t max_waiting = 0;     // kWait: for one key at one time
  std::string downgrade_model;  // kDowngrade
  MissingKey on_missing_key = MissingKey::kShared;
  bool shadow = false;
};

// What makes a vector of a text.
struct Embedding {
  enum class By : uint8_t {
    kNobody,   // requests are found by their exact key only
    kLexical,  // meaning::LexicalEmbedder
    kBackend,  // an embeddings service that speaks OpenAI's dialect, by a CALL
    kHost,     // the host itself, by a CALL without a URL
  };
  By by = By::kNobody;
  uint32_t backend = 0;  // kBackend: index into Plan::backends
  std::string model;     // kBackend: as the service calls it; kHost: as the host does
  uint32_t dimensions = 0;
  bool asks_dimensions = false;              // kBackend: the request says how many it wants
  uint32_t epoch = 1;                        // vectors of another epoch are not compared
  int64_t deadline_ns = 300 * kMillisecond;  // then the request goes on without a vector
};

// A model that is asked, by a CALL, before an answer found by meaning is given: whether the two
// requests want the same answer. Whatever it says but "yes", and if it says nothing, it is a miss.
struct Verifier {
  bool is_set = false;
  uint32_t backend = 0;  // index into Plan::backends; speaks OpenAI's dialect
  std::string model;
  int64_t deadline_ns = kSecond;
};

// Answers that are kept, and to which requests they are given again.
struct Cache {
  std::string name;
  Embedding embedding;
  double min_similarity = 1;  // cosine
  meaning::GuardSet guards = meaning::kDefaultGuards;
  // Whose answers are whose: the values together. Empty: everybody's are everybody's ("shared").
  std::vector<std::unique_ptr<expr::Program>> partition;
  int64_t ttl_ns = kHour;
  uint32_t max_entries = 10'000;
  uint64_t max_bytes = uint64_t{64} << 20;  // of the segment, for everything
  uint32_t partition_quota = 0;             // entries of one partition's frame; 0: no quota
  uint64_t max_answer_bytes = uint64_t{256} << 10;
  uint32_t messages = 0;      // the last so many are matched by meaning; 0: the dialogue
  uint32_t max_messages = 0;  // a longer dialogue is not looked up; 0: any
  bool ignores_system = false;
  std::vector<std::string> ignored_fields;  // of the body, that change no answer: "user"
  bool charges_hits = false;
  int64_t coalesce_ns = 10 * kSecond;  // how long a request waits for the same one; 0: not at all

  Verifier verifier;
  // Hits that are tried instead of given, see weir/learning.h.
  double max_error_rate = 1;  // of the hits found by meaning; 1: nothing is promised
  double confidence = 0.95;
  double verify_share = 0;  // 0: none, unless an error rate is promised: then an eighth
  bool Learns() const { return max_error_rate < 1 || verify_share > 0; }

  // What it keeps them in. A partition of that is one of this and what requests of one frame have
  // in common: everything but the texts that are matched by meaning.
  cache::CacheOptions Options() const;
};

struct Dimension {
  std::string label;
  std::unique_ptr<expr::Program> value;
};

struct Meter {
  std::string name;
  std::vector<Dimension> dimensions;
  uint32_t max_series = 2000;
  bool overhead_stages = false;  // weir.overhead also by stage: "request", "response"
};

// "/openai/deployments/{model}/chat/completions", cut at the slashes. A parameter is a whole
// segment, or all of it before a colon and a word: "/v1beta/models/{model}:generateContent".
struct PathPattern {
  struct Segment {
    std::string text;  // literal, or the parameter's name
    bool parameter = false;
    std::string suffix{};  // ":generateContent", behind a parameter
  };
  std::vector<Segment> segments;
};

using Parameters = std::vector<std::pair<std::string_view, std::string>>;

struct Route {
  std::string name;
  std::string method;  // empty = any
  PathPattern path;
  // What its path asks for and in whose words (weir/dialects.h lists the patterns). Without an
  // operation requests are passed on as they are: limited by number, never counted. With one, the
  // pool's backends speak a dialect of the same family.
  std::optional<dialects::Operation> operation;
  dialects::Dialect dialect = dialects::Dialect::kOpenAi;
  bool authenticate = true;
  uint32_t pool = 0;
  std::vector<uint32_t> limits;
  int cache = -1;
  int meter = -1;
};

// The names that expressions may use, in the order of Names().
enum class Name : uint8_t {
  kRequestMethod,
  kRequestPath,
  kRequestId,
  kRequestHeaders,
  kRequestQuery,
  kClientIp,
  kConsumer,
  kRoute,
  kModel,
  kBackend,
  kAttr,
  kParams,
  kBody,   // a member of a JSON body, path and all: metadata.user
  kUsage,  // only where there is one: the cost of a limit
};
absl::Span<const expr::Name> Names();
// The same and usage.{prompt, completion, total, cached, reasoning}, integers.
absl::Span<const expr::Name> UsageNames();

// The headers that weir gives to clients, each by another name if the policy says so; empty: not
// sent. x-weir-explain, which tells a client how it was decided about it (Transaction::Explain), is
// sent by policies that say so alone: "headers": {"x-weir-explain": true}.
enum class ClientHeader : uint8_t {
  kLimitRequests,
  kRemainingRequests,
  kResetRequests,
  kLimitTokens,
  kRemainingTokens,
  kResetTokens,
  kRetryAfter,
  kRetryAfterMs,
  kShouldRetry,
  kTokensConsumed,
  kDowngraded,
  kBackend,
  kAttempts,
  kCache,
  kExplain,
};
inline constexpr std::array<std::string_view, 15> kClientHeaders = {
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-weir-tokens-consumed",
    "x-weir-downgraded",
    "x-weir-backend",
    "x-weir-attempts",
    "x-weir-cache",
    "x-weir-explain"};

struct Plan {
  std::vector<Secret> secrets;
  Text pepper;
  uint64_t body_bytes_max = 0;
  std::vector<Model> models;
  std::vector<auth::Consumer> consumers;
  std::vector<Credential> credentials;
  std::vector<Backend> backends;
  std::vector<Pool> pools;
  std::vector<limits::Rule> rules;  // of the limits, then of the backends' capacities
  std::vector<Limit> limits;
  std::vector<Cache> caches;
  std::vector<Meter> meters;
  std::vector<Route> routes;
  std::array<std::string, kClientHeaders.size()> client_headers;
  bool ledger_explains = false;  // "ledger": {"explain": true}: lines have the explanation too
  bool reads_bodies = false;     // some expression asks for a member of the request's body

  // The first route that matches; its path parameters, percent-decoded, go to `parameters`. Null
  // when none does. `other_method` tells whether one would have matched under another method.
  const Route* Match(std::string_view method, std::string_view path, Parameters* parameters,
                     bool* other_method) const;
  // By name or alias; null when the document does not know the model.
  const Model* FindModel(std::string_view name) const;
  // The index into limits; nullopt when there is none of that name.
  std::optional<uint32_t> FindLimit(std::string_view name) const;
  // The text, or its secret's value.
  std::string_view Resolve(const Text& text) const;
};

// A parsed document: mutable only in its secrets, until it is shared with an engine.
class Policy {
 public:
  // Null when there is any fault. `faults` receives all of them in the order of the document.
  static std::shared_ptr<Policy> Parse(std::string_view text, std::vector<Fault>* faults);
  // What a sound document says that silently does nothing: entries that nothing uses, routes that
  // are never reached, fields that others leave no effect. None for a document with faults.
  static std::vector<Fault> Warnings(std::string_view text);

  const Plan& plan() const { return plan_; }
  absl::Span<const Secret> secrets() const { return plan_.secrets; }
  void set_secret(size_t index, std::string_view value) {
    plan_.secrets[index].value = std::string(value);
  }

 private:
  static std::shared_ptr<Policy> Compiled(const json::Document& document,
                                          std::vector<Fault>* faults);

  Plan plan_;
};

}  // namespace weir::policy

#endif  // WEIR_POLICY_H_
