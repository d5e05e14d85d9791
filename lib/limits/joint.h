// A decision over several counters: find them, lock them in order, judge all, book all or none.

#ifndef WEIR_LIB_LIMITS_JOINT_H_
#define WEIR_LIB_LIMITS_JOINT_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "limits/counter.h"
#include "limits/share.h"
#include "limits/slots.h"
#include "weir/limits.h"

namespace weir::limits {

using Entries = absl::InlinedVector<Reservation::Entry, 4>;

// Made for one decision; borrows what it is made of.
class Joint {
 public:
  // The first `asked` parts are charges, of which none names another's counter; the rest belong to
  // their shares. The slot of each is yet its key's home.
  Joint(const CounterTable& table, absl::Span<Part> parts, size_t asked, Now now,
        Decision* decision)
      : table_(table), parts_(parts), asked_(asked), now_(now), decision_(*decision) {}

  // Books to `made`, which has room for all, or on top of `extended`, or (neither) for good.
  void Decide(Entries* made, Entries* extended, bool full_admits);
  // Judges, and changes nothing.
  void Peek();

 private:
  bool Guess();
  // False: some part has no slot.
  bool Find();
  bool JudgeAll();
  void FollowClocks() const;
  void Judge();
  void NoteResets();
  bool ClaimAll(bool full_admits);
  bool Commit(Entries* made, Entries* extended);
  void Refuse();
  void NoteAsked(const Part& part, const Verdict& verdict) const;
  void Book(const Part& part, Verdict& verdict, Reservation::Entry* entry) const;
  void Extend(const Part& part, Verdict& verdict, Reservation::Entry& entry) const;
  void GiveUp(bool full_admits);

  const Counter& CounterOf(const Part& part) const;
  // The share of a part; `empty` stands for what has no slot yet.
  Share ShareOf(const Part& part, std::array<Counter, kShareParts>& empty) const;

  const CounterTable& table_;
  const absl::Span<Part> parts_;
  const size_t asked_;
  const Now now_;
  Decision& decision_;
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_JOINT_H_
