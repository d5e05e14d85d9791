// One circuit: the state machine, over plain data that lives in the segment.
//
// Every function here needs the circuit's lock, except ReadEpoch, which is one atomic load.
//
// Serial numbers order everything: each change of state takes the next one as the circuit's epoch,
// and each probe takes one as its own name. They never repeat, so an outcome can be told to be of
// this epoch, or of this very probe, or stale.
//
// A clock that steps back counts as no time passed: stored times ahead of `now` move to `now`, and
// a deadline moves along with the moment it was set.

#ifndef WEIR_LIB_BREAKER_CIRCUIT_H_
#define WEIR_LIB_BREAKER_CIRCUIT_H_

#include <cstdint>

#include "breaker/history.h"
#include "weir/breaker.h"

namespace weir::breaker {

struct Probe {
  uint64_t serial;  // 0: a free slot
  int64_t start_ns;
};

// All zero is a closed circuit without a past.
struct Circuit {
  uint64_t word;  // epoch * 4 + state; written under the lock, read without
  uint64_t last_serial;
  uint64_t fingerprint;  // whose rules `histories` count
  int64_t since_ns;
  int64_t open_until_ns;
  int64_t forget_at_ns;  // from then on another key may have the slot
  int32_t rule;          // plus one: which tripped it last
  uint32_t successes;
  // Failures are counted only while closed, probes are out only while half-open.
  union {
    History histories[kMaxRules];
    Probe probes[kMaxProbes];
  };
};

struct Epoch {
  State state = State::kClosed;
  uint64_t serial = 0;
};
Epoch ReadEpoch(const Circuit& circuit);

// What an ask for passage finds: open circuits whose time is over are half-open.
struct View {
  State state = State::kClosed;
  bool allowed = false;
  int64_t retry_at_ns = 0;  // when not allowed
};
View Look(const Circuit& circuit, const RuleSet& set, int64_t now_ns);

// Takes a probe slot: its serial number, or 0 when the circuit does not let a probe through. Turns
// an open circuit whose time is over into a half-open one. Overdue probes lose their slots.
uint64_t TakeProbe(Circuit* circuit, const RuleSet& set, int64_t now_ns);

// The probe ended: `matching` rules failed it, or it showed health, or neither.
Report EndProbe(Circuit* circuit, const RuleSet& set, uint64_t serial, uint32_t matching,
                const Outcome& outcome, int64_t now_ns);

// The probe slot goes back.
void ReturnProbe(Circuit* circuit, uint64_t serial);

// A failure while closed.
Report CountFailure(Circuit* circuit, const RuleSet& set, uint64_t fingerprint, uint32_t matching,
                    const Outcome& outcome, int64_t now_ns);

}  // namespace weir::breaker

#endif  // WEIR_LIB_BREAKER_CIRCUIT_H_
