// What one transaction has to do with a cache of answers.

#ifndef WEIR_LIB_ENGINE_CACHING_H_
#define WEIR_LIB_ENGINE_CACHING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/answer_cache.h"
#include "engine/flights.h"
#include "engine/request.h"
#include "engine/request_key.h"
#include "weir/breaker.h"
#include "weir/learning.h"
#include "weir/replay.h"

namespace weir::engine {

inline constexpr uint64_t kEmbeddingCall = 1, kVerifierCall = 2;

struct Caching {
  // In this order, but that whoever followed a flight begins again.
  enum class Step : uint8_t {
    kExact,    // the answer of the very same request
    kFlight,   // or of one on its way
    kVector,   // what the request means …
    kAwaited,  // … which a CALL is to tell
    kMeaning,  // the answer of one that means the same
    kJudge,    // whether it does …
    kJudged,   // … which a CALL is to tell
    kGive,
    kOver,
  };
  enum class Result : uint8_t { kBypass, kMiss, kExactHit, kSemanticHit };

  explicit Caching(AnswerCache* found_cache) : cache(found_cache) {}
  bool IsHit() const { return result == Result::kExactHit || result == Result::kSemanticHit; }

  AnswerCache* const cache;
  RequestKey key;
  uint64_t scope = 0;  // of the partition: to be purged by
  std::string model;   // of the request that the key is of
  bool looks = true, keeps = true;
  int64_t max_age_ns = INT64_MAX;
  int64_t ttl_ns = 0;

  Step step = Step::kExact;
  std::optional<Flights::Lead> lead;
  std::optional<int64_t> follows_since_mono_ns;
  std::vector<float> vector;
  breaker::Permit permit;  // of the CALL under way
  int64_t call_deadline_mono_ns = 0;
  bool call_answered = false;
  int call_status = 0;
  std::string call_body;
  AnswerCache::Found found;  // by meaning, perhaps
  learning::Ticket ticket;
  std::optional<dialects::KeptAnswer> tried;  // instead of given: the backend's answer will tell

  Result result = Result::kBypass;
  std::string_view reason;              // of a bypass or a miss
  std::string_view guard;               // that refused
  std::string_view embedding = "none";  // "ok", "failed", "timeout", "resting", …
  std::string_view verifier;            // "yes", "no", "timeout", …; empty: it was not asked
  std::string_view trial;               // of a kept answer: "right", "wrong", "lost"
  double similarity = -2;               // of the nearest; below -1: none was compared
  int64_t age_ns = 0;
  uint64_t entry = 0;     // of a hit
  Usage saved;            // of a hit: what its answer was bought for
  std::string_view kept;  // "kept", or why the answer is not; empty: none came that could be
};

std::string_view CacheResultName(
    Caching::Result result);  // "bypass", "miss", "hit", "semantic_hit"

std::string DecimalOf(double similarity);  // "0.970", rounded towards 0

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_CACHING_H_
