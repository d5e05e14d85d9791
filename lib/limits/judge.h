// What counters answer to a request, before anything is booked.

#ifndef WEIR_LIB_LIMITS_JUDGE_H_
#define WEIR_LIB_LIMITS_JUDGE_H_

#include <algorithm>
#include <cstdint>

#include "absl/base/attributes.h"
#include "limits/arithmetic.h"
#include "limits/counter.h"
#include "limits/quantile.h"
#include "limits/share.h"
#include "limits/slots.h"
#include "weir/limits.h"

namespace weir::limits {

// A key that has no slot is this.
inline constexpr Counter kEmptyCounter{};

// What a counter answers to a charge, changing nothing. Verdicts are written where they stay: on
// this path, copying one costs as much as a lock.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline Sight Judge(const Part& part, const Counter& counter, Now now,
                                                Verdict& verdict) {
  const Charge& charge = *part.charge;
  const Sight sight = Look(*part.spec, part.terms, counter, now);
  const uint64_t size = part.terms.size;
  verdict.rule = charge.rule;
  verdict.amount = size;
  verdict.used_before = sight.used;
  verdict.remaining = size > sight.used ? size - sight.used : uint64_t{0};
  verdict.admitted = charge.cost <= size && sight.used <= size - charge.cost;
  if (!verdict.admitted) {
    verdict.retry_after_ns = RetryAfterNs(*part.spec, part.terms, counter, sight, now, charge.cost);
  }
  return sight;
}

inline int64_t ResetNs(const Part& part, const Counter& counter, const Sight& sight, Now now) {
  return WaitNs(*part.spec, part.terms, counter, sight, now, 0);
}

// The same where the amount is shared: the key's share decides, and whether the whole has room.
inline Sight JudgeShare(const Part& part, const Share& share, Now now, Verdict& verdict) {
  const Spec& spec = *part.spec;
  Part of_key = part;
  of_key.terms.size = of_key.terms.amount = ShareOf(spec, part.terms, share, now, *part.charge);
  const Sight sight = Judge(of_key, *share.own, now, verdict);
  const uint64_t cost = part.charge->cost;
  const Counter& whole = *share.sums[kShareUse];
  const Sight use = Look(spec, part.terms, whole, now);
  const uint64_t room = part.terms.size > use.used ? part.terms.size - use.used : 0;
  verdict.remaining = std::min(verdict.remaining, room);
  if (cost > part.terms.size) {
    verdict.retry_after_ns = kNever;
  } else if (cost > room || use.used > part.terms.size) {
    verdict.admitted = false;
    verdict.retry_after_ns =
        std::max(verdict.retry_after_ns, RetryAfterNs(spec, part.terms, whole, use, now, cost));
  } else if (verdict.retry_after_ns == kNever) {
    // Its share is smaller than this request, which passes when the key is idle.
    verdict.retry_after_ns = ResetNs(part, *share.own, sight, now);
  }
  return sight;
}

// An admitted charge with the part of its headroom that there is room for.
inline uint64_t WithHeadroom(const Part& part, const Counter& counter, uint64_t room) {
  const Charge& charge = *part.charge;
  uint64_t wanted = charge.headroom;
  if (charge.learned) {
    wanted = Quantile90(part.model == 0 ? counter.learned : part.learned).estimate();
  }
  return charge.cost + std::min(wanted, room - std::min(room, charge.cost));
}

inline void FindBinding(Decision& decision) {
  decision.admitted = true;
  for (size_t i = 0; i < decision.verdicts.size(); ++i) {
    const Verdict& verdict = decision.verdicts[i];
    if (verdict.admitted) continue;
    decision.admitted = false;
    if (decision.binding < 0 || verdict.retry_after_ns > decision.retry_after_ns) {
      decision.binding = static_cast<int>(i);
      decision.retry_after_ns = verdict.retry_after_ns;
    }
  }
}

// The answer to a charge that no waiting helps: an unknown rule, or a counter named twice.
inline void SetImpossible(const Charge& charge, Verdict& verdict) {
  verdict.rule = charge.rule;
  verdict.retry_after_ns = kNever;
}

// Its rule exists, and no earlier charge names the same counter.
inline bool IsPossible(const Parts& parts, size_t index) {
  const Part& part = parts[index];
  if (part.spec == nullptr) return false;
  return std::none_of(parts.begin(), parts.begin() + index, [&](const Part& earlier) {
    return earlier.spec == part.spec && (earlier.key == part.key || part.spec->share);
  });
}

inline void RefuseImpossible(const Parts& parts, Decision& decision) {
  for (size_t i = 0; i < parts.size(); ++i) {
    Verdict& verdict = decision.verdicts.emplace_back();
    if (IsPossible(parts, i)) {
      Judge(parts[i], kEmptyCounter, {}, verdict);
    } else {
      SetImpossible(*parts[i].charge, verdict);
    }
  }
  FindBinding(decision);
}

inline Held HeldBy(const Reservation::Entry& entry) {
  return {entry.first_at, entry.booked_at, entry.period_end, entry.latest, entry.reserved};
}

inline void NameEntry(const Part& part, Reservation::Entry& entry) {
  entry.rule = part.charge->rule;
  entry.slot = part.slot;
  entry.key_hi = part.key.hi;
  entry.key_lo = part.key.lo;
  entry.amount = part.terms.amount;
  entry.model = part.model;
  entry.weight = part.charge->weight;
}

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_JUDGE_H_
