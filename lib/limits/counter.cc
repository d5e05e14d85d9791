#include "limits/counter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/saturating.h"
#include "base/text.h"
#include "limits/arithmetic.h"
#include "limits/bucket.h"
#include "limits/period.h"

namespace weir::limits {
namespace {

uint64_t PartOf(int64_t whole_ns, int parts) {
  return CeilDiv(static_cast<uint64_t>(whole_ns), static_cast<uint64_t>(parts));
}

// What shapes a counter's memory is part of its name, so a rule that is reloaded with another
// window starts new counters instead of misreading the old ones; another amount keeps them.
void NameCounters(const Rule& rule, const KeyHash& hash, Spec* spec) {
  const auto begin = [&](std::string_view what) {
    return hash.Begin(SipHash(hash.seed(), Concat({what, ":", ShapeOf(rule)}), rule.name));
  };
  spec->keys = begin("counter");
  spec->outputs = begin("outputs");
  spec->overrides = begin("override");
  spec->share_keys = begin("share");
  const KeyHash::Start sums = begin("sums");
  for (size_t i = 0; i < std::size(spec->share_sums); ++i) {
    spec->share_sums[i] = hash(sums, std::to_string(i));
  }
}

}  // namespace

std::string ShapeOf(const Rule& rule) {
  std::string shape = std::to_string(static_cast<int>(rule.algorithm));
  if (rule.algorithm == Algorithm::kCalendar) {
    const bool week = rule.period == Period::kWeek;
    return Concat({shape, ":", std::to_string(static_cast<int>(rule.period)), ":",
                   week ? std::to_string(rule.week_start) : std::string(), ":",
                   rule.time_zone == "UTC" ? std::string() : rule.time_zone});
  }
  if (rule.algorithm == Algorithm::kConcurrency) return shape;
  shape = Concat({shape, ":", std::to_string(rule.window_ns)});
  if (rule.algorithm == Algorithm::kFixedWindow && rule.anchor_unix_ns) {
    // Anchors a whole number of windows apart mean the same windows.
    const int64_t phase = *rule.anchor_unix_ns % rule.window_ns;
    shape += Concat({":", std::to_string(phase < 0 ? phase + rule.window_ns : phase)});
  }
  if (rule.share) shape += ":share";
  return shape;
}

absl::StatusOr<Spec> MakeSpec(const Rule& rule, const KeyHash& hash) {
  Spec spec;
  spec.algorithm = rule.algorithm;
  spec.share = rule.share;
  spec.burst = rule.burst;
  spec.terms = MakeTerms(spec, rule.amount);
  spec.rate = Divider(std::max(rule.amount, uint64_t{1}));
  spec.share_floor = rule.share_floor;
  spec.window_ns = rule.window_ns;
  switch (rule.algorithm) {
    case Algorithm::kSlidingWindow:
      spec.width = Divider(PartOf(rule.window_ns, kWindowBuckets));
      break;
    case Algorithm::kTokenBucket:
      spec.window = Divider(static_cast<uint64_t>(rule.window_ns));
      spec.width = Divider(PartOf(rule.window_ns, kBucketPeaks));
      break;
    case Algorithm::kCalendar: {
      auto calendar = Calendar::Make(rule.period, rule.time_zone, rule.week_start);
      if (!calendar.ok()) return calendar.status();
      spec.calendar = *std::move(calendar);
      spec.window_ns = spec.calendar.longest_ns();
      spec.by_wall_clock = true;
      break;
    }
    case Algorithm::kFixedWindow:
      spec.window = Divider(static_cast<uint64_t>(rule.window_ns));
      spec.by_wall_clock = rule.anchor_unix_ns.has_value();
      // Brought near zero, so that differences to any wall time fit.
      spec.anchor_ns = rule.anchor_unix_ns.value_or(0) % rule.window_ns;
      break;
    case Algorithm::kConcurrency:
      break;
  }
  if (rule.algorithm > Algorithm::kTokenBucket) {
    spec.leases_end = rule.lease_ns != 0;
    if (spec.leases_end) spec.width = Divider(PartOf(rule.lease_ns, kLeaseParts));
  }
  NameCounters(rule, hash, &spec);
  return spec;
}

absl::StatusOr<std::vector<Spec>> MakeSpecs(absl::Span<const Rule> rules, const KeyHash& hash) {
  std::vector<Spec> specs;
  specs.reserve(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    auto spec = MakeSpec(rules[i], hash);
    if (!spec.ok()) {
      return absl::InvalidArgumentError(
          Concat({"limits rule ", std::to_string(i), " \"", rules[i].name, "\": time_zone ",
                  StdView(spec.status().message())}));
    }
    specs.push_back(*std::move(spec));
  }
  return specs;
}

void FollowClock(const Spec& spec, const Terms& terms, Counter& counter, const Sight& sight,
                 Now now) {
  if (ClockIsBehindAs(spec.algorithm, spec, counter, sight, now)) {
    Book(spec, terms, counter, sight, now, 0, Kind::kKept);
  }
}

Sight Look(const Spec& spec, const Terms& terms, const Counter& counter, Now now) {
  return LookAs(spec.algorithm, spec, terms, counter, now);
}

int64_t ResetNs(const Spec& spec, const Terms& terms, const Counter& counter, const Sight& sight,
                Now now) {
  return ResetAs(spec.algorithm, spec, terms, counter, sight, now);
}

Booking Book(const Spec& spec, const Terms& terms, Counter& counter, const Sight& sight, Now now,
             uint64_t cost, Kind kind) {
  return BookAs(spec.algorithm, spec, terms, counter, sight, now, cost, kind);
}

void Settle(const Spec& spec, const Terms& terms, Counter& counter, Now now, const Held& held,
            uint64_t used) {
  SettleAs(spec.algorithm, spec, terms, counter, now, held, used);
}

void Extend(const Spec& spec, const Terms& terms, Counter& counter, Now now, uint64_t more,
            Held& held) {
  if (spec.algorithm > Algorithm::kTokenBucket) {
    PeriodExtend(spec, counter.period, now, more, held);
    NoteEmpty(counter, now, ResetNs(spec, terms, counter, Look(spec, terms, counter, now), now));
    return;
  }
  if (more == 0) return;
  const Sight sight = Look(spec, terms, counter, now);
  held.number = Book(spec, terms, counter, sight, now, more, Kind::kHeld).number;
  held.latest = more;
  held.reserved = SaturatingAdd(held.reserved, more);
}

}  // namespace weir::limits
