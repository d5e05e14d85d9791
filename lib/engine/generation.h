// One policy in force, with the capabilities made ready from it.

#ifndef WEIR_LIB_ENGINE_GENERATION_H_
#define WEIR_LIB_ENGINE_GENERATION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/answer_cache.h"
#include "engine/first_byte.h"
#include "engine/flights.h"
#include "engine/instruments.h"
#include "engine/sessions.h"
#include "weir/auth.h"
#include "weir/balance.h"
#include "weir/breaker.h"
#include "weir/engine.h"
#include "weir/limits.h"
#include "weir/policy.h"
#include "weir/queue.h"
#include "weir/state.h"

namespace weir::engine {

// Immutable once made; a transaction keeps the one it began with. What changes lives in the
// segment, which outlives them all.
struct Generation {
  std::shared_ptr<state::Segment> segment;
  std::shared_ptr<const policy::Policy> policy;
  std::unique_ptr<auth::KeyRing> keys;
  std::unique_ptr<limits::Limiter> limiter;
  std::unique_ptr<queue::Lines> lines;        // null when no limit lets requests wait
  std::unique_ptr<Sessions> sessions;         // null when no pool keeps sessions by a key
  std::unique_ptr<breaker::Breaker> breaker;  // rule set i is backend i's
  std::vector<breaker::Circuit> circuits;     // one for each backend, whatever the model
  std::vector<std::unique_ptr<balance::Pool>> pools;
  std::vector<FirstBytes*> first_bytes;  // of the pools that hedge by them, else null
  std::vector<std::unique_ptr<AnswerCache>> caches;
  // Of each cache; default: it asks nobody.
  std::vector<breaker::Circuit> embedder_circuits, verifier_circuits;
  std::unique_ptr<Flights> flights;  // null when there are no caches
  std::shared_ptr<Instruments> instruments;

  const policy::Plan& plan() const { return policy->plan(); }

  static absl::StatusOr<std::shared_ptr<const Generation>> Make(
      std::shared_ptr<state::Segment> segment, std::shared_ptr<const policy::Policy> policy,
      const Options& options, const std::shared_ptr<Instruments>& previous_instruments);

 private:
  absl::Status MakeBreaker();
  absl::Status MakePool(const policy::Pool& pool, const Options& options);
  absl::Status MakeCaches();
};

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_GENERATION_H_
