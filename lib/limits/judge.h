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

// A counter as a charge finds it, changing nothing.
struct Answer {
  Sight sight;
  uint64_t room = 0;  // what is left of the amount
  bool admitted = false;
};
ABSL_ATTRIBUTE_ALWAYS_INLINE inline Answer AnswerAs(Algorithm algorithm, const Spec& spec,
                                                    const Terms& terms, const Counter& counter,
                                                    Now now, uint64_t cost) {
  Answer answer;
  answer.sight = LookAs(algorithm, spec, terms, counter, now);
  answer.room = terms.size - std::min(terms.size, answer.sight.used);
  // A counter in debt has no room even for nothing.
  answer.admitted = cost <= answer.room && answer.sight.used <= terms.size;
  return answer;
}

// Writes a verdict where it stays: on this path, copying one costs as much as a lock.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void WriteVerdict(uint32_t rule, const Terms& terms,
                                                      const Answer& answer, int64_t retry_after_ns,
                                                      Verdict& verdict) {
  verdict.rule = rule;
  verdict.admitted = answer.admitted;
  verdict.used_before = answer.sight.used;
  verdict.amount = terms.size;
  verdict.remaining = answer.room;
  verdict.retry_after_ns = retry_after_ns;
}

// What a counter answers to a part's charge, changing nothing but the part's sight.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void JudgeAs(Algorithm algorithm, Part& part,
                                                 const Counter& counter, Now now,
                                                 Verdict& verdict) {
  const uint64_t cost = part.charge->cost;
  const Answer answer = AnswerAs(algorithm, *part.spec, part.terms, counter, now, cost);
  int64_t retry_after_ns = 0;
  if (!answer.admitted) {
    retry_after_ns = RetryAs(algorithm, *part.spec, part.terms, counter, answer.sight, now, cost);
  }
  WriteVerdict(part.charge->rule, part.terms, answer, retry_after_ns, verdict);
  part.sight.used = answer.sight.used;
  part.sight.number = answer.sight.number;
  part.sight.carry = answer.sight.carry;
  if (algorithm > Algorithm::kTokenBucket) part.sight.period = answer.sight.period;
}

// Calls `body` with the algorithm of a rule as a constant, or, of periods, as it is: they are
// alike.
template <class Body>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline auto WithAlgorithm(Algorithm algorithm, Body&& body) {
  if (algorithm == Algorithm::kSlidingWindow) return body(Algorithm::kSlidingWindow);
  if (algorithm == Algorithm::kTokenBucket) return body(Algorithm::kTokenBucket);
  return body(algorithm);
}

inline int64_t ResetNs(const Part& part, const Counter& counter, const Sight& sight, Now now) {
  return ResetNs(*part.spec, part.terms, counter, sight, now);
}

// The same where the amount is shared: the key's share decides, and whether the whole has room.
inline void JudgeShare(Part& part, const Share& share, Now now, Verdict& verdict) {
  const Spec& spec = *part.spec;
  Part of_key = part;
  of_key.terms.size = of_key.terms.amount = ShareOf(spec, part.terms, share, now, *part.charge);
  JudgeAs(Algorithm::kSlidingWindow, of_key, *share.own, now, verdict);
  part.sight = of_key.sight;
  const uint64_t cost = part.charge->cost;
  const Counter& whole = *share.sums[kShareUse];
  const Sight use = LookAs(Algorithm::kSlidingWindow, spec, part.terms, whole, now);
  const uint64_t room = part.terms.size > use.used ? part.terms.size - use.used : 0;
  verdict.remaining = std::min(verdict.remaining, room);
  if (cost > part.terms.size) {
    verdict.retry_after_ns = kNever;
  } else if (cost > room || use.used > part.terms.size) {
    verdict.admitted = false;
    verdict.retry_after_ns =
        std::max(verdict.retry_after_ns,
                 RetryAs(Algorithm::kSlidingWindow, spec, part.terms, whole, use, now, cost));
  } else if (verdict.retry_after_ns == kNever) {
    // Its share is smaller than this request, which passes when the key is idle.
    verdict.retry_after_ns = ResetNs(part, *share.own, part.sight, now);
  }
}

// An admitted charge with the part of its headroom that there is room for. `learned` is the
// Quantile90 of its outputs.
inline uint64_t WithHeadroom(const Charge& charge, uint32_t learned, uint64_t room) {
  if (!charge.learned && charge.headroom == 0) return charge.cost;
  const uint64_t wanted = charge.learned ? Quantile90(learned).estimate() : charge.headroom;
  return charge.cost + std::min(wanted, room - std::min(room, charge.cost));
}
inline uint64_t WithHeadroom(const Part& part, const Counter& counter, uint64_t room) {
  return WithHeadroom(*part.charge, part.model == 0 ? counter.learned : part.learned, room);
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
inline bool IsPossible(const Part* parts, size_t index) {
  const Part& part = parts[index];
  if (part.spec == nullptr) return false;
  return std::none_of(parts, parts + index, [&](const Part& earlier) {
    return earlier.spec == part.spec && (earlier.key == part.key || part.spec->share);
  });
}

inline void RefuseImpossible(Parts& parts, Decision& decision) {
  for (size_t i = 0; i < parts.size(); ++i) {
    Verdict& verdict = decision.verdicts.emplace_back();
    if (IsPossible(parts.data(), i)) {
      JudgeAs(parts[i].spec->algorithm, parts[i], kEmptyCounter, {}, verdict);
    } else {
      SetImpossible(*parts[i].charge, verdict);
    }
  }
  FindBinding(decision);
}

inline Held HeldBy(const Reservation::Entry& entry) {
  return {entry.first_at, entry.booked_at, entry.period_end, entry.latest, entry.reserved};
}

// What a reservation holds, and where.
inline void NameEntry(const Charge& charge, uint64_t amount, uint32_t slot, Hash128 key,
                      Reservation::Entry& entry) {
  entry.rule = charge.rule;
  entry.slot = slot;
  entry.key_hi = key.hi;
  entry.key_lo = key.lo;
  entry.amount = amount;
  entry.weight = charge.weight;
}
inline void NoteBooking(const Booking& booking, uint64_t reserved, Reservation::Entry& entry) {
  entry.reserved = entry.latest = reserved;
  entry.first_at = entry.booked_at = booking.number;
  entry.period_end = booking.period_end;
}

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_JUDGE_H_
