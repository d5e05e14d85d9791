// What is booked without a decision: the ends of reservations, and costs known only afterwards.

#ifndef WEIR_LIB_LIMITS_BOOKS_H_
#define WEIR_LIB_LIMITS_BOOKS_H_

#include <cstdint>

#include "base/hash.h"
#include "limits/counter.h"
#include "limits/key_hash.h"
#include "limits/slots.h"
#include "weir/limits.h"

namespace weir::limits {

// Borrows what it is made of.
class Books {
 public:
  Books(const KeyHash& hash, const CounterTable& table) : hash_(hash), table_(table) {}

  // Replaces what a reservation holds of one counter by what was used.
  void Settle(const Spec& spec, const Reservation::Entry& entry, const Actual& actual,
              Now now) const;

  // Books to the counter called `key`, made if need be. With no room for it there is nothing to
  // book to: LimiterOptions::full_admits has already decided about such requests.
  void Book(const Spec& spec, const Terms& terms, Hash128 key, uint64_t cost, Now now) const;

 private:
  void SettleShare(const Spec& spec, const Terms& terms, const Reservation::Entry& entry,
                   uint64_t cost, Now now) const;
  void Learn(const Spec& spec, Hash128 key, uint32_t model, uint64_t sample, Now now) const;

  const KeyHash& hash_;
  const CounterTable& table_;
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_BOOKS_H_
