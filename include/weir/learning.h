// weir/learning.h: whether a cached answer may be given to a request that is only similar, learned
// by trying, so that a stated error rate holds.
//
// No similarity threshold is right for all entries of a cache: where "what is the capital of
// France" has many paraphrases, "what is 7 x 8" has neighbours that look as near and are wrong. So
// some of the hits are not given out: the request goes on to the model, and its answer is compared
// with the kept one. What that shows of an entry decides how many of its further hits are tried.
//
//   auto verifier = weir::learning::Verifier::Create(segment, "faq", rules);
//   learning::Ticket ticket = (*verifier)->Decide({entry, partition, similarity}, now);
//   if (ticket.choice == learning::Choice::kServe) { ...give the kept answer... }
//   else { ...ask the model, compare...; (*verifier)->Report(ticket, Outcome::kRight, now); }
//
// The promise. With probability `confidence`, at no moment since the state was made has the number
// of wrong answers given exceeded max_error_rate x the number of hits decided upon (given or
// tried). It holds for any requests in any order, also for those of an enemy who knows all of this
// but the segment's seed, and for entries whose truth changes. It stands on three things:
// comparisons that are right; trials whose result never came (the client left, the answer broke
// off), of which it is taken that they were as often right as others; and a result that comes
// within kLongestTrialMinutes, until when it counts as wrong.
//
// Why it holds. Each hit is tried with a probability p that is fixed before a coin, keyed by the
// seed, is thrown. Of a hit that would be wrong the coin decides whether it is found or given out.
// For every lambda with (1 - p) e^lambda <= 1, the product of e^lambda for each wrong answer given
// and (1 - (1 - p) e^lambda) / p for each one found is therefore a supermartingale that begins at
// 1, and by Ville's inequality it exceeds 1/alpha at any time with probability alpha at most. So W
// wrong ones found at share p bound those given out, at all times at once (alpha is shared out over
// W, so that lambda may be chosen for each). p has one of six values; those in use are bounded
// apart, and added. A hit is given out only while that sum is within the allowance; else every hit
// is tried, which adds to the allowance and costs nothing.
//
// The rest is economy: which hits are worth giving. Each entry, each partition and the cache count
// what trials found, in four bands of similarity; an entry's estimate leans on its partition's, and
// that on the cache's, both of entries' first trials. A hit whose error is estimated at e is given
// with a probability of max_error_rate / e at most, as in vCache (Schroeder et al., "vCache:
// Verified Semantic Prompt Caching", 2025), from which entries' own decisions and the error rate's
// denominator are taken. vCache fits a logistic curve to each entry and promises as much as that
// curve is true; here the estimate may be wrong and the promise holds.
//
// What it costs to begin: with max_error_rate 0.02 and confidence 0.95 nothing is given before some
// 200 trials of the whole cache; half of the hits from 600 on, 7 of 8 from 3,500 on. Half the rate
// takes twice as many. Found errors cost more: about 15 of the allowance each at a share of 1/8.
//
// Threads and processes: any, any time; no locks. Of deciders at the same moment each counts
// without the others: by their number the allowance may be overdrawn. Memory: 16 bytes a slot, one
// for each of max_entries, 1,024 … 65,536, in the segment; what has no slot is tried. A process
// killed between Decide and Report leaves a trial without result. Cost: Decide and Report take
// under a microsecond.

#ifndef WEIR_LEARNING_H_
#define WEIR_LEARNING_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::learning {

inline constexpr uint32_t kLongestTrialMinutes = 15;

struct Rules {
  double max_error_rate = 1;    // above 0; 1: nothing is promised, verify_share is tried
  double confidence = 0.95;     // 0.5 … 0.999999
  double verify_share = 0.125;  // of the hits of trusted entries; is rounded up to one of 1/32,
                                // 1/16, 1/8, 1/4, 1/2 and 3/4, above that to 1
  double min_similarity = 0;    // below 1: where the bands of similarity begin
  uint32_t max_entries = 10'000;
};

enum class Choice : uint8_t {
  kServe,    // give the kept answer
  kSample,   // try it: one of the share of what is trusted
  kExplore,  // try it: too little is known, or what is known is bad, or the allowance is used up
};
std::string_view ChoiceName(Choice choice);  // "served", "verified", "explored"

struct Candidate {
  uint64_t entry = 0;               // of the cache; no other has its number
  std::string_view partition = {};  // any bytes
  double similarity = 0;
};

// What was decided. One that is tried is to be reported once.
struct Ticket {
  Choice choice = Choice::kServe;
  uint8_t level = 0, band = 0;
  uint32_t minute = 0;
  uint64_t entry = 0, partition = 0;
};

enum class Outcome : uint8_t { kRight, kWrong, kLost };
std::string_view OutcomeName(Outcome outcome);  // "right", "wrong", "lost"

// Sums of all processes since the state was made.
struct Stats {
  uint64_t decided = 0, served = 0;
  uint64_t right = 0, wrong = 0, lost = 0;  // of those tried
  double served_wrong_at_most = 0;          // with the stated confidence
  double allowance = 0;                     // max_error_rate x decided
};

class Verifier {
 public:
  // The state `name` (at most 40 bytes) of a segment, which must outlive it; made on first use.
  // INVALID_ARGUMENT: a rule out of range. FAILED_PRECONDITION: it exists, for another number of
  // entries. RESOURCE_EXHAUSTED: no room in the segment. Other rules than last time are no harm to
  // the promise: it is of what the rules say now.
  static absl::StatusOr<std::unique_ptr<Verifier>> Create(state::Segment* segment,
                                                          std::string_view name,
                                                          const Rules& rules);
  virtual ~Verifier() = default;

  virtual Ticket Decide(const Candidate& candidate, Now now) = 0;
  // Of a ticket that was not served; nothing otherwise.
  virtual void Report(const Ticket& ticket, Outcome outcome, Now now) = 0;
  virtual Stats GetStats(Now now) const = 0;
};

// Of the segment, for so many entries.
uint64_t BytesFor(uint32_t max_entries);

}  // namespace weir::learning

#endif  // WEIR_LEARNING_H_
