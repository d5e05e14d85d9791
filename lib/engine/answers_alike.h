// Whether two answers say the same: what a trial of a kept answer goes by.

#ifndef WEIR_LIB_ENGINE_ANSWERS_ALIKE_H_
#define WEIR_LIB_ENGINE_ANSWERS_ALIKE_H_

#include "weir/replay.h"

namespace weir::engine {

// Choice by choice: the same text, but for case, white space, markup and the punctuation that ends
// words; or, of two texts longer than a few words, much the same words with the same numbers,
// dates, negations, opposites and language. It reads words, not meaning, and errs towards "no": a
// model that words its answers anew each time looks wrong more often than it is, and then less is
// given from the cache.
bool AnswersAlike(const dialects::KeptAnswer& kept, const dialects::KeptAnswer& fresh);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_ANSWERS_ALIKE_H_
