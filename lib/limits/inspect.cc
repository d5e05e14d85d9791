// A segment's counters, for people who look. Takes no lock and writes nothing, so it can neither
// wait for a gateway nor hold one up, and reads files that it may not write.

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/hash.h"
#include "base/saturating.h"
#include "limits/arithmetic.h"
#include "limits/counter.h"
#include "limits/directory.h"
#include "limits/slots.h"
#include "weir/limits.h"

namespace weir::limits {
namespace {

// A rule as the directory has it; no spec when it can not be made sense of here.
struct Known {
  Rule rule;
  std::optional<Spec> spec;
};

class Reader {
 public:
  Reader(state::Segment* segment, const Directory& directory, Now now)
      : directory_(directory), hash_(segment->seed()), now_(now) {}

  const Known& RuleOf(uint32_t record) {
    const auto [found, fresh] = known_.try_emplace(record);
    if (!fresh) return found->second;
    if (std::optional<Rule> rule = directory_.Read(record)) {
      auto spec = MakeSpec(*rule, hash_);
      if (spec.ok()) found->second.spec = *std::move(spec);
      found->second.rule = *std::move(rule);
    }
    return found->second;
  }

  // Nullopt for a counter in which nothing is booked.
  std::optional<CounterReport> Report(const Counter& counter, const Known& known,
                                      Hash128 key) const {
    const Spec& spec = *known.spec;
    const Terms& terms = spec.terms;
    CounterReport report;
    report.rule = known.rule.name;
    report.algorithm = spec.algorithm;
    report.amount = terms.size;
    const Sight sight = Look(spec, terms, counter, now_);
    if (sight.used == 0) return std::nullopt;
    report.used = sight.used;
    report.reserved = sight.period.leased;
    report.reset_ns = ResetNs(spec, terms, counter, sight, now_);
    char bytes[16];
    std::memcpy(bytes, &key.hi, 8);
    std::memcpy(bytes + 8, &key.lo, 8);
    report.key_id = HexEncode({bytes, sizeof(bytes)});
    return report;
  }

 private:
  const Directory& directory_;
  const KeyHash hash_;
  const Now now_;
  std::map<uint32_t, Known> known_;
};

// Is `a` closer to its limit?
bool Fuller(const CounterReport& a, const CounterReport& b) {
  return static_cast<uint128>(a.used) * std::max<uint64_t>(b.amount, 1) >
         static_cast<uint128>(b.used) * std::max<uint64_t>(a.amount, 1);
}

}  // namespace

absl::StatusOr<StateReport> Inspect(state::Segment* segment, size_t top, Now now) {
  auto table = CounterTable::OpenExisting(segment, kTableName);
  if (!table.ok()) return table.status();
  auto directory = Directory::OpenExisting(segment);
  if (!directory.ok()) return directory.status();
  Reader reader(segment, *directory, ClampTimes(now));
  StateReport report;
  report.slots = table->slots();
  for (uint32_t slot = 0; slot < table->slots(); ++slot) {
    const Hash128 key = table->key(slot);
    if (key == Hash128{}) continue;
    ++report.slots_used;
    if (table->holder(slot) != 0) ++report.locked;
    const uint32_t tag = table->tag(slot);
    if (KindOf(tag) != SlotKind::kCounter) continue;
    const Known& known = reader.RuleOf(RecordOf(tag));
    if (!known.spec) continue;
    const Counter counter = table->at(slot);  // a copy, so that it does not change underneath
    std::optional<CounterReport> found = reader.Report(counter, known, key);
    if (!found) continue;
    ++report.counters;
    if (found->reserved != 0) ++report.leased;
    if (report.top.size() == top && (top == 0 || !Fuller(*found, report.top.back()))) continue;
    const auto place = std::upper_bound(report.top.begin(), report.top.end(), *found, Fuller);
    report.top.insert(place, *std::move(found));
    if (report.top.size() > top) report.top.pop_back();
  }
  return report;
}

}  // namespace weir::limits
