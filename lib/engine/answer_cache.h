// A cache of answers: what the policy says of one, on the similarity cache that keeps its bytes.
//
// A value there is an answer's content with the features of the texts that it answers, so that the
// guards need nothing else to compare a request with what was asked then; and those texts where a
// verifier is to read them.

#ifndef WEIR_LIB_ENGINE_ANSWER_CACHE_H_
#define WEIR_LIB_ENGINE_ANSWER_CACHE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/request_key.h"
#include "weir/cache.h"
#include "weir/engine.h"
#include "weir/learning.h"
#include "weir/meaning.h"
#include "weir/policy.h"
#include "weir/replay.h"
#include "weir/state.h"

namespace weir::engine {

class AnswerCache {
 public:
  static absl::StatusOr<std::unique_ptr<AnswerCache>> Create(state::Segment* segment,
                                                             const policy::Cache& rules);

  // Whose request it is, and what it asks.
  struct Asked {
    const RequestKey* key = nullptr;
    absl::Span<const float> vector = {};  // empty: by the exact key alone
    int64_t max_age_ns = INT64_MAX;
  };

  struct Found {
    std::optional<dialects::KeptAnswer> answer;
    // Why there is none: the cache's own reasons (cache::MissName), "guard", "too_old", "corrupt".
    std::string_view reason;
    std::string_view guard;  // that refused
    cache::Answer told;      // by the index, which counts nothing before Confirm
    std::string asked_then;  // by meaning, where a verifier is to read it: what it answers

    bool IsByMeaning() const { return told.found == cache::Found::kSemantic; }
  };

  // By the exact key alone: a miss is none of the cache, since another look-up follows.
  Found FindExact(const Asked& asked, Now now) const;
  // By the exact key, then by meaning: what a guard refuses gives way to the next best, a few
  // times. Of several that were refused, the best tells why.
  Found Find(const Asked& asked, Now now) const;
  // Once for each Found that was told to somebody: whether its answer was given in the end.
  void Confirm(const Found& found, bool is_given);

  // False: there was no room for it.
  bool Keep(const Asked& asked, const dialects::KeptAnswer& answer, std::string_view model,
            uint64_t scope, int64_t ttl_ns, Now now);

  // Null where nothing is learned.
  learning::Verifier* trials() { return trials_.get(); }
  // Whether what was found by meaning is to be given; only where something is learned.
  learning::Ticket Decide(const Found& found, const RequestKey& key, Now now);

  // Engine::PurgeCache, of this one.
  absl::StatusOr<uint64_t> PurgeAnswers(Purge which, std::string_view what);

  // How many came before: no two replays of a process have the same number.
  uint64_t CountReplay() { return replays_.fetch_add(1, std::memory_order_relaxed); }

  cache::Stats GetStats() const { return index_->GetStats(); }
  const policy::Cache& rules() const { return rules_; }

 private:
  AnswerCache(const policy::Cache& rules, std::unique_ptr<cache::Cache> index,
              std::unique_ptr<learning::Verifier> trials);
  Found Look(const Asked& asked, absl::Span<const cache::EntryId> refused, Now now) const;
  absl::StatusOr<uint64_t> PurgeScope(std::string_view lines);

  const policy::Cache& rules_;
  const cache::Embedder embedder_;
  const std::unique_ptr<cache::Cache> index_;
  const std::unique_ptr<learning::Verifier> trials_;
  std::atomic<uint64_t> replays_{0};
};

// Names of whatever length, as the index has them.
uint64_t TagOf(std::string_view name);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_ANSWER_CACHE_H_
