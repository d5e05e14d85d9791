// Who rests, tiers, holds, clocks.

#include "tests/balance/support.h"

namespace weir::balance {
namespace {

constexpr Strategy kStrategies[] = {Strategy::kWeighted,  Strategy::kRoundRobin,
                                    Strategy::kLeastBusy, Strategy::kLeastLatency,
                                    Strategy::kP2c,       Strategy::kHash};

// The rules as they are said in the header, over plain lists.
class TierTwin {
 public:
  explicit TierTwin(const std::vector<Member>& members)
      : members_(members), until_(members.size(), 0) {}

  void Rest(size_t i, int64_t until, int64_t now) {
    if (until > now) until_[i] = std::max(until_[i], until);
  }
  void Wake(size_t i) { until_[i] = 0; }
  bool Usable(size_t i, int64_t now) const { return until_[i] <= now; }

  // Is `picked` a member that may be picked, when no tier is ever held?
  bool Allows(int picked, int64_t now, const std::vector<uint16_t>& refused) const {
    uint32_t best = UINT32_MAX;
    const auto takes = [&](size_t i) {
      return Usable(i, now) && std::find(refused.begin(), refused.end(), i) == refused.end();
    };
    for (size_t i = 0; i < members_.size(); ++i) {
      if (takes(i)) best = std::min(best, members_[i].priority);
    }
    if (picked < 0) return best == UINT32_MAX;
    const auto p = static_cast<size_t>(picked);
    return takes(p) && members_[p].priority == best;
  }
  int64_t Soonest(int64_t now) const {
    int64_t soonest = kNever;
    for (const int64_t until : until_) {
      if (until > now) soonest = std::min(soonest, until);
    }
    return soonest;
  }

 private:
  const std::vector<Member> members_;
  std::vector<int64_t> until_;
};

TEST_CASE("every strategy picks from the best tier that takes the request, and nobody who rests") {
  for (const Strategy strategy : kStrategies) {
    Random random(1);
    for (int round = 0; round < 12; ++round) {
      const size_t size = 1 + random.Below(round == 0 ? 100 : 10);
      std::vector<Member> members = Members(RandomWeights(&random, size));
      for (Member& member : members) {
        member.priority = static_cast<uint32_t>(1 + random.Below(4) * 300);
      }
      PoolOptions options = With(strategy, random.Next());
      options.hold_down_ns = 0;
      auto segment = NewSegment();
      auto pool = NewPool(segment.get(), members, options);
      TierTwin twin(members);
      int64_t now = kHour;
      INFO("strategy " << static_cast<int>(strategy) << " round " << round);
      for (int step = 0; step < 2'000; ++step) {
        now += static_cast<int64_t>(random.Below(3));
        if (random.Below(3) == 0) {
          const size_t i = random.Below(size);
          const int64_t until = now + static_cast<int64_t>(random.Below(40)) - 3;
          const auto why = random.Below(2) == 0 ? Availability::kTripped : Availability::kThrottled;
          pool->Rest(static_cast<int>(i), until, why, At(now));
          twin.Rest(i, until, now);
        }
        if (random.Below(20) == 0) {
          const size_t i = random.Below(size);
          pool->Wake(static_cast<int>(i), At(now));
          twin.Wake(i);
        }
        std::vector<uint16_t> refused;
        while (random.Below(3) == 0) refused.push_back(static_cast<uint16_t>(random.Below(size)));
        Ask ask = AskAt(now, random.Next());
        ask.refused = refused;
        const int picked = pool->Pick(ask);
        REQUIRE(twin.Allows(picked, now, refused));
        if (refused.empty() && picked < 0) REQUIRE(pool->ReturnsAt() == twin.Soonest(now));
        if (step % 50 != 0) continue;
        const auto states = pool->Snapshot(At(now));
        for (size_t i = 0; i < size; ++i) REQUIRE(states[i].usable == twin.Usable(i, now));
      }
    }
  }
}

TEST_CASE("a throttled member rests exactly as long as it asked") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), {{"ptu", 1, 1}, {"payg", 2, 1}});
  const int64_t now = 100 * kSecond;
  CHECK(pool->Pick(AskAt(now)) == 0);
  pool->Rest(0, now + 7 * kSecond, Availability::kThrottled, At(now));
  CHECK(pool->Pick(AskAt(now)) == 1);
  CHECK(pool->Pick(AskAt(now + 7 * kSecond - 1)) == 1);
  CHECK(pool->Pick(AskAt(now + 7 * kSecond)) == 0);
  // Of two rests the later end holds, whichever comes first.
  pool->Rest(0, now + 20 * kSecond, Availability::kThrottled, At(now + 8 * kSecond));
  pool->Rest(0, now + 10 * kSecond, Availability::kTripped, At(now + 8 * kSecond));
  const auto states = pool->Snapshot(At(now + 9 * kSecond));
  CHECK(states[0].why == Availability::kThrottled);
  CHECK(states[0].until_mono_ns == now + 20 * kSecond);
  CHECK(pool->Pick(AskAt(now + 20 * kSecond - 1)) == 1);
  CHECK(pool->Pick(AskAt(now + 20 * kSecond)) == 0);
}

TEST_CASE("only the request that was refused spills") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), {{"a", 1, 2}, {"b", 1, 1}, {"c", 2, 1}});
  const uint16_t both[] = {0, 1};
  Ask spills = AskAt(1);
  spills.refused = both;
  std::vector<int> count(3, 0);
  for (int pick = 0; pick < 300; ++pick) {
    CHECK(pool->Pick(spills) == 2);
    ++count[static_cast<size_t>(pool->Pick(AskAt(1)))];
  }
  CHECK(count == std::vector<int>{200, 100, 0});
}

TEST_CASE("nobody, one, and members that are none") {
  for (const Strategy strategy : kStrategies) {
    auto segment = NewSegment();
    auto pool = NewPool(segment.get(), {{"x", 1, 1}}, With(strategy));
    for (uint64_t key = 0; key < 5; ++key) CHECK(pool->Pick(AskAt(1, key)) == 0);
    CHECK(pool->ReturnsAt() == kNever);
    pool->Rest(0, 50, Availability::kOutOfCapacity, At(1));
    CHECK(pool->Pick(AskAt(1)) == -1);
    CHECK(pool->ReturnsAt() == 50);
    pool->Rest(0, kNever, Availability::kTripped, At(1));
    CHECK(pool->Pick(AskAt(kNever - 1)) == -1);
    pool->Wake(0, At(60));
    CHECK(pool->Pick(AskAt(60)) == 0);
    for (const int member : {-1, 1, 5000}) {
      pool->Rest(member, 100, Availability::kTripped, At(60));
      pool->Wake(member, At(60));
      pool->Started(member, At(60));
      pool->FirstToken(member, 5, At(60));
      pool->Finished(member, 5, false, At(60));
      pool->Unused(member);
      CHECK(pool->MemberId(member) == 0);
    }
    pool->Rest(0, 100, Availability::kRefused, At(60));
    pool->Rest(0, 100, Availability::kUsable, At(60));
    Ask ask = AskAt(60);
    ask.prefer = 7;
    const uint16_t none[] = {9, 65535};
    ask.refused = none;
    CHECK(pool->Pick(ask) == 0);
    const uint16_t itself[] = {0};
    ask.refused = itself;
    CHECK(pool->Pick(ask) == -1);
  }
}

// Two tiers, the upper one's health told by `healthy`; the tiers that took requests, one a tenth of
// a second, as the times of the switches.
template <class Healthy>
std::vector<int64_t> Switches(int64_t hold_ns, int64_t seconds, bool passive, Healthy&& healthy) {
  PoolOptions options;
  options.hold_down_ns = hold_ns;
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), {{"a", 1, 1}, {"b", 1, 1}, {"c", 2, 1}}, options);
  std::vector<int64_t> switches;
  int before = 1;
  for (int64_t now = kHour; now < kHour + seconds * kSecond; now += 100 * kMillisecond) {
    const bool well = healthy(now - kHour);
    if (!passive) {
      // Somebody looks after the members' health all the time.
      for (const int member : {0, 1}) {
        if (well) pool->Wake(member, At(now));
        if (!well) pool->Rest(member, kNever, Availability::kTripped, At(now));
      }
    }
    for (;;) {
      const int picked = pool->Pick(AskAt(now));
      if (picked == 2 || well) {
        const int tier = picked == 2 ? 2 : 1;
        if (tier != before) switches.push_back(now - kHour);
        before = tier;
        break;
      }
      // It fails, and its breaker trips for a second.
      pool->Rest(picked, now + kSecond, Availability::kTripped, At(now));
    }
  }
  return switches;
}

TEST_CASE("health that swings at half a hertz gives one switch a hold-down at most") {
  const auto swings = [](int64_t ns) { return ns / kSecond % 2 == 0; };
  // It is seen to swing: the tier is left once.
  CHECK(Switches(10 * kSecond, 600, false, swings).size() == 1);
  // Nobody looks but the requests themselves: each hold ends in a trial that may fail.
  CHECK(Switches(10 * kSecond, 600, true, swings).size() <= 60);
  // Without holds it would have swung.
  CHECK(Switches(0, 600, false, swings).size() > 500);
}

TEST_CASE("a tier comes back when it has been well for the hold-down, to the moment") {
  const auto fails_once = [](int64_t ns) { return ns < 5 * kSecond || ns >= 6 * kSecond; };
  CHECK(Switches(10 * kSecond, 60, false, fails_once) ==
        std::vector<int64_t>{5 * kSecond, 16 * kSecond});
  CHECK(Switches(0, 60, false, fails_once) == std::vector<int64_t>{5 * kSecond, 6 * kSecond});
  // Long well, it is trusted as on the first day.
  const auto fails_twice = [](int64_t ns) { return ns % (100 * kSecond) >= kSecond; };
  CHECK(Switches(10 * kSecond, 150, false, fails_twice) ==
        std::vector<int64_t>{0, 11 * kSecond, 100 * kSecond, 111 * kSecond});
  // Failing again soon, it is not: the second hold is twice as long.
  const auto relapses = [](int64_t ns) {
    return ns >= kSecond && (ns < 15 * kSecond || ns >= 16 * kSecond);
  };
  CHECK(Switches(10 * kSecond, 60, false, relapses) ==
        std::vector<int64_t>{0, 11 * kSecond, 15 * kSecond, 36 * kSecond});
}

TEST_CASE("a held tier is better than nobody") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), {{"a", 1, 1}, {"b", 2, 1}});
  int64_t now = kHour;
  pool->Rest(0, now + kSecond, Availability::kTripped, At(now));
  CHECK(pool->Pick(AskAt(now)) == 1);
  now += 2 * kSecond;
  CHECK(pool->Pick(AskAt(now)) == 1);
  const auto states = pool->Snapshot(At(now));
  CHECK(states[0].usable);
  CHECK(states[0].held);
  CHECK_FALSE(states[1].held);
  // For the one request that the lower tier does not take, without ending the hold …
  const uint16_t refused[] = {1};
  Ask ask = AskAt(now);
  ask.refused = refused;
  CHECK(pool->Pick(ask) == 0);
  CHECK(pool->Pick(AskAt(now)) == 1);
  // … and for all when the lower tier is gone; then it stays.
  pool->Rest(1, now + kSecond, Availability::kThrottled, At(now));
  CHECK(pool->Pick(AskAt(now)) == 0);
  CHECK(pool->Pick(AskAt(now + 3 * kSecond)) == 0);
}

TEST_CASE("one tier alone is never held") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1, 1}));
  for (int64_t now = kHour; now < kHour + 100 * kSecond; now += 2 * kSecond) {
    pool->Rest(0, now + kSecond, Availability::kTripped, At(now));
    pool->Rest(1, now + kSecond, Availability::kTripped, At(now));
    CHECK(pool->Pick(AskAt(now)) == -1);
    CHECK(pool->Pick(AskAt(now + kSecond)) >= 0);
  }
}

TEST_CASE("a reload in the middle of a hold does not end it") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), {{"a", 1, 1}, {"b", 2, 1}});
  pool->Rest(0, kHour + kSecond, Availability::kTripped, At(kHour));
  CHECK(pool->Pick(AskAt(kHour + 2 * kSecond)) == 1);
  pool = NewPool(segment.get(), {{"b", 2, 3}, {"a", 1, 2}, {"c", 2, 1}});
  CHECK(pool->Pick(AskAt(kHour + 3 * kSecond)) != 1);
  CHECK(pool->Pick(AskAt(kHour + 11 * kSecond)) == 1);
}

TEST_CASE("a clock that steps back counts as no time passed") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), {{"a", 1, 1}, {"b", 2, 1}});
  const int64_t late = 1'000'000 * kSecond;
  pool->Rest(0, late + 30 * kSecond, Availability::kThrottled, At(late));
  CHECK(pool->Pick(AskAt(late + 10 * kSecond)) == 1);
  // As after a reboot: the rest has as long to go as it was given, and no longer.
  CHECK(pool->Pick(AskAt(5 * kSecond)) == 1);
  CHECK(pool->Pick(AskAt(35 * kSecond - 1)) == 1);
  CHECK(pool->Pick(AskAt(35 * kSecond)) == 0);
  // Threads whose clocks were read a moment ago change nothing.
  pool->Rest(0, 60 * kSecond, Availability::kThrottled, At(40 * kSecond));
  CHECK(pool->Pick(AskAt(40 * kSecond - 900 * kMillisecond)) == 1);
  CHECK(pool->Pick(AskAt(60 * kSecond - 1)) == 1);
  CHECK(pool->Pick(AskAt(60 * kSecond)) == 0);
  // A hold moves along too.
  pool->Rest(0, late + kSecond, Availability::kTripped, At(late));
  CHECK(pool->Pick(AskAt(late + 3 * kSecond)) == 1);
  CHECK(pool->Pick(AskAt(0)) == 1);
  CHECK(pool->Pick(AskAt(10 * kSecond)) == 0);
}

TEST_CASE("sessions stay with their member as long as its tier is in use, or stick to it") {
  for (const Strategy strategy : kStrategies) {
    auto segment = NewSegment();
    auto pool = NewPool(segment.get(), {{"a", 1, 1}, {"b", 1, 1}, {"c", 2, 1}, {"d", 2, 1}},
                        With(strategy));
    Ask ask = AskAt(kHour);
    ask.prefer = 1;
    for (uint64_t key = 0; key < 20; ++key) {
      ask.hash = key;
      CHECK(pool->Pick(ask) == 1);
    }
    ask.prefer = 3;
    CHECK(pool->Pick(ask) < 2);
    ask.sticky = true;
    CHECK(pool->Pick(ask) == 3);
    const uint16_t refused[] = {3};
    ask.refused = refused;
    CHECK(pool->Pick(ask) < 2);
    ask.refused = {};
    pool->Rest(3, kNever, Availability::kTripped, At(kHour));
    CHECK(pool->Pick(ask) < 2);
  }
}

TEST_CASE("a member's number tells nothing and is found again") {
  auto segment = NewSegment();
  PoolOptions options;
  options.id_seed = 77;
  auto pool = NewPool(segment.get(), Members(std::vector<uint32_t>(500, 1)), options);
  auto turned = Members(std::vector<uint32_t>(500, 1));
  std::reverse(turned.begin(), turned.end());
  auto elsewhere = NewSegment();
  auto other = NewPool(elsewhere.get(), turned, options);
  options.id_seed = 78;
  auto stranger = NewPool(elsewhere.get(), turned, options);
  for (int i = 0; i < 500; ++i) {
    const uint64_t id = pool->MemberId(i);
    CHECK(pool->FindMember(id) == i);
    CHECK(other->FindMember(id) == 499 - i);
    CHECK(stranger->FindMember(id) == -1);
  }
  CHECK(pool->FindMember(0) == -1);
}

TEST_CASE("what Create refuses") {
  auto segment = NewSegment();
  const auto code = [&](std::vector<Member> members, const PoolOptions& options = {}) {
    return Pool::Create(segment.get(), "pool", std::move(members), options).status().code();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  CHECK(code({}) == kInvalid);
  CHECK(code(Members(std::vector<uint32_t>(kMaxMembers + 1, 1))) == kInvalid);
  CHECK(code(Members(std::vector<uint32_t>(kMaxMembers, 1))) == absl::StatusCode::kOk);
  CHECK(code({{"a", 1, 1}, {"a", 2, 1}}) == kInvalid);
  CHECK(code({{"a", 0, 1}}) == kInvalid);
  CHECK(code({{"a", 1001, 1}}) == kInvalid);
  CHECK(code({{"a", 1, 0}}) == kInvalid);
  CHECK(code({{"a", 1, 1001}}) == kInvalid);
  CHECK(code({{"a", UINT32_MAX, UINT32_MAX}}) == kInvalid);
  CHECK(code({{"a", 1000, 1000}}) == absl::StatusCode::kOk);
  const auto status = Pool::Create(segment.get(), "p", {{"a", 1, 0}}, {}).status();
  CHECK(std::string(status.message()) == "pool \"p\": member \"a\": weight must be 1 to 1000");
  std::vector<Member> tiers = Members(std::vector<uint32_t>(kMaxTiers + 1, 1));
  for (size_t i = 0; i < tiers.size(); ++i) tiers[i].priority = static_cast<uint32_t>(i + 1);
  CHECK(code(tiers) == kInvalid);
  tiers.pop_back();
  CHECK(code(tiers) == absl::StatusCode::kOk);
  for (const auto change : std::vector<void (*)(PoolOptions*)>{
           [](PoolOptions* o) { o->hold_down_ns = -1; },
           [](PoolOptions* o) { o->hold_down_ns = kDay + 1; },
           [](PoolOptions* o) { o->latency_decay_ns = kSecond - 1; },
           [](PoolOptions* o) { o->latency_decay_ns = kHour + 1; },
           [](PoolOptions* o) { o->load_bound_percent = 100; },
           [](PoolOptions* o) { o->load_bound_percent = 10'001; },
           [](PoolOptions* o) { o->load_floor = 0; },
           [](PoolOptions* o) { o->load_floor = 65'536; },
           [](PoolOptions* o) { o->strategy = static_cast<Strategy>(6); }}) {
    PoolOptions options;
    change(&options);
    CHECK(code(Members({1}), options) == kInvalid);
  }
}

TEST_CASE("a full segment is an error, not a crash") {
  auto segment = NewSegment(size_t{512} << 10);
  absl::Status status;
  for (size_t i = 0; i < 2000 && status.ok(); ++i) {
    status = Pool::Create(segment.get(), Numbered("p", i), Members({1, 1}), {}).status();
  }
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace weir::balance
