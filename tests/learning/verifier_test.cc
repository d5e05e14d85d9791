// Whether the promised error rate holds: many runs of virtual traffic, kind, changing and hostile,
// beside what a fixed threshold makes of the same requests.

#include "weir/learning.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"

namespace weir::learning {
namespace {

constexpr int64_t kStart = 1'767'225'600 * kSecond;

std::unique_ptr<state::Segment> MakeSegment(uint64_t seed) {
  return *state::Segment::CreatePrivate({size_t{2} << 20, seed});
}

struct Request {
  uint64_t entry = 0;
  double similarity = 0;
  bool is_right = true;
};

// What traffic asks next; it sees what became of the last one.
class Traffic {
 public:
  virtual ~Traffic() = default;
  virtual Request Next(int i, std::mt19937_64* random) = 0;
  virtual void See(const Request&, Choice) {}
};

// Entries of which each has a similarity of its own from which on its answer is right, but for one
// request in two hundred.
class Kind : public Traffic {
 public:
  explicit Kind(bool changes) : changes_(changes) {}

  Request Next(int i, std::mt19937_64* random) override {
    std::uniform_real_distribution<double> unit(0, 1);
    if (i == 0 || (changes_ && i % 8000 == 0)) {
      for (double& threshold : thresholds_) threshold = 0.75 + 0.25 * unit(*random) * unit(*random);
    }
    Request request;
    // Skewed: some are asked far more often than others.
    request.entry = static_cast<uint64_t>(kEntries * unit(*random) * unit(*random));
    request.similarity = 0.8 + 0.2 * unit(*random);
    request.is_right = request.similarity >= thresholds_[request.entry] && unit(*random) > 0.005;
    return request;
  }

 private:
  static constexpr int kEntries = 100;
  const bool changes_;
  double thresholds_[kEntries] = {};
};

// Lets entries become trusted, and then asks of those what they answer wrongly, as long as it is
// given out.
class Hostile : public Traffic {
 public:
  Request Next(int i, std::mt19937_64* random) override {
    std::uniform_real_distribution<double> unit(0, 1);
    if (spree_ > 0) {
      --spree_;
      return {target_, 0.999, false};
    }
    if (given_in_a_row_ >= 6 && i > 1000) {
      given_in_a_row_ = 0;
      spree_ = 40;
    }
    return {static_cast<uint64_t>(20 * unit(*random)), 0.8 + 0.2 * unit(*random), true};
  }
  void See(const Request& request, Choice choice) override {
    if (choice == Choice::kServe) {
      ++given_in_a_row_;
      target_ = request.entry;
    } else {
      given_in_a_row_ = 0;
      spree_ = 0;  // found out: be good for a while
    }
  }

 private:
  int spree_ = 0, given_in_a_row_ = 0;
  uint64_t target_ = 0;
};

struct Told {
  bool is_broken = false;      // at some moment
  double early = 0, late = 0;  // share of hits given: of the second tenth, of the last one
  double errors = 0;           // wrong ones given, of all decided
  double fixed_errors = 0;     // the same with a fixed threshold of 0.9
  double fixed_hits = 0;
  bool bound_held = true;
};

Told Play(Traffic* traffic, const Rules& rules, uint64_t seed, int requests, size_t in_flight) {
  const auto segment = MakeSegment(seed);
  const auto verifier = *Verifier::Create(segment.get(), "test", rules);
  std::mt19937_64 random(seed);
  std::deque<std::pair<Ticket, bool>> under_way;
  Told told;
  int wrong = 0, fixed_wrong = 0, fixed_hits = 0, early = 0, late = 0;
  Now now{kSecond, kStart};
  for (int i = 0; i < requests; ++i) {
    now.mono_ns += 50 * kMillisecond;
    now.unix_ns += 50 * kMillisecond;
    const Request request = traffic->Next(i, &random);
    const Ticket ticket =
        verifier->Decide({request.entry + 1, "partition", request.similarity}, now);
    traffic->See(request, ticket.choice);
    if (ticket.choice == Choice::kServe) {
      if (!request.is_right) ++wrong;
      if (i >= requests / 10 && i < requests / 5) ++early;
      if (i >= requests - requests / 10) ++late;
      if (wrong > rules.max_error_rate * (i + 1)) told.is_broken = true;
    } else {
      under_way.emplace_back(ticket, request.is_right);
    }
    while (under_way.size() > in_flight) {
      const auto& [oldest, is_right] = under_way.front();
      verifier->Report(oldest, is_right ? Outcome::kRight : Outcome::kWrong, now);
      under_way.pop_front();
    }
    if (request.similarity >= 0.9) {
      ++fixed_hits;
      if (!request.is_right) ++fixed_wrong;
    }
    if (i % 1000 == 0 && verifier->GetStats(now).served_wrong_at_most < wrong) {
      told.bound_held = false;
    }
  }
  told.errors = static_cast<double>(wrong) / requests;
  told.fixed_errors = static_cast<double>(fixed_wrong) / requests;
  told.fixed_hits = static_cast<double>(fixed_hits) / requests;
  told.early = early / (requests / 10.0);
  told.late = late / (requests / 10.0);
  return told;
}

struct Sums {
  int runs = 0, broken = 0, unbounded = 0;
  double early = 0, late = 0, errors = 0, fixed_errors = 0, fixed_hits = 0;
};

Sums PlayMany(const std::string& what, const std::function<std::unique_ptr<Traffic>()>& make,
              const Rules& rules, size_t in_flight) {
  constexpr int kRequests = 20'000;
  Sums sums;
  sums.runs = std::getenv("WEIR_LONG") != nullptr ? 2000 : 60;
  for (int run = 0; run < sums.runs; ++run) {
    const auto traffic = make();
    const Told told =
        Play(traffic.get(), rules, 1000 + static_cast<uint64_t>(run), kRequests, in_flight);
    if (told.is_broken) ++sums.broken;
    if (!told.bound_held) ++sums.unbounded;
    sums.early += told.early / sums.runs;
    sums.late += told.late / sums.runs;
    sums.errors += told.errors / sums.runs;
    sums.fixed_errors += told.fixed_errors / sums.runs;
    sums.fixed_hits += told.fixed_hits / sums.runs;
  }
  std::cout << what << ": " << sums.broken << " of " << sums.runs << " runs above "
            << rules.max_error_rate << "; errors " << sums.errors << ", hits given " << sums.early
            << " early, " << sums.late << " late; a fixed 0.9: errors " << sums.fixed_errors
            << ", hits " << sums.fixed_hits << "\n";
  return sums;
}

Rules RulesOf(double max_error_rate) {
  Rules rules;
  rules.max_error_rate = max_error_rate;
  rules.min_similarity = 0.8;
  rules.max_entries = 1000;
  return rules;
}

TEST_CASE(
    "kind traffic: the rate holds, hits become many, and a fixed threshold does not hold it") {
  for (const double rate : {0.01, 0.03}) {
    const Sums sums = PlayMany(
        "kind", [] { return std::make_unique<Kind>(false); }, RulesOf(rate), 0);
    CHECK(sums.broken <= sums.runs / 20);
    CHECK(sums.unbounded <= sums.runs / 20);
    CHECK(sums.late > sums.early);
    CHECK(sums.late > (rate < 0.02 ? 0.3 : 0.5));
    CHECK(sums.errors < rate);
    CHECK(sums.fixed_errors > 4 * sums.errors);
    CHECK((sums.fixed_errors > rate) == (rate < 0.02));
  }
}

TEST_CASE("the truth changes: the rate holds") {
  const Sums sums = PlayMany(
      "changing", [] { return std::make_unique<Kind>(true); }, RulesOf(0.03), 0);
  CHECK(sums.broken <= sums.runs / 20);
  CHECK(sums.late > 0.2);
}

TEST_CASE("hostile traffic: the rate holds, whatever becomes of the hits") {
  for (const size_t in_flight : {size_t{0}, size_t{16}}) {
    const Sums sums = PlayMany(
        "hostile", [] { return std::make_unique<Hostile>(); }, RulesOf(0.02), in_flight);
    CHECK(sums.broken <= sums.runs / 20);
    CHECK(sums.unbounded <= sums.runs / 20);
    CHECK(sums.late > 0);  // it is not merely off
  }
}

TEST_CASE("decisions are the seed's and the input's") {
  std::vector<int> first;
  for (const uint64_t seed : {7, 7, 8}) {
    const auto segment = MakeSegment(seed);
    Rules rules = RulesOf(1);
    const auto verifier = *Verifier::Create(segment.get(), "test", rules);
    std::vector<int> choices;
    for (uint64_t i = 0; i < 200; ++i) {
      const Now now{0, kStart + static_cast<int64_t>(i)};
      choices.push_back(static_cast<int>(verifier->Decide({i + 1, "", 0.9}, now).choice));
    }
    if (first.empty()) first = choices;
    CHECK((choices == first) == (seed == 7));
    // Nothing promised: the share is tried, rounded up.
    CHECK(std::count(choices.begin(), choices.end(), 1) > 8);
    CHECK(std::count(choices.begin(), choices.end(), 1) < 50);
    CHECK(std::count(choices.begin(), choices.end(), 2) == 0);
  }
}

TEST_CASE("another process goes on with what was learned") {
  const auto segment = MakeSegment(1);
  const auto one = *Verifier::Create(segment.get(), "test", RulesOf(0.1));
  const Now now{0, kStart};
  for (int i = 0; i < 2000; ++i) {
    const Ticket ticket = one->Decide({5, "", 0.95}, now);
    one->Report(ticket, Outcome::kRight, now);
  }
  const auto other = *Verifier::Create(segment.get(), "test", RulesOf(0.1));
  int given = 0;
  for (int i = 0; i < 100; ++i) {
    const Ticket ticket = other->Decide({5, "", 0.95}, now);
    if (ticket.choice == Choice::kServe) ++given;
    other->Report(ticket, Outcome::kRight, now);
  }
  CHECK(given > 70);
  const Stats stats = other->GetStats(now);
  CHECK(stats.decided == 2100);
  CHECK(stats.decided == stats.served + stats.right);
  CHECK(stats.allowance == Approx(210));
}

TEST_CASE("a trial under way counts as wrong, for a quarter of an hour") {
  const auto segment = MakeSegment(1);
  const auto verifier = *Verifier::Create(segment.get(), "test", RulesOf(0.1));
  Now now{0, kStart};
  std::vector<Ticket> open;
  for (int i = 0; i < 3000; ++i) {
    const Ticket ticket = verifier->Decide({5, "", 0.95}, now);
    if (i < 2000) verifier->Report(ticket, Outcome::kRight, now);
    if (i >= 2000 && ticket.choice == Choice::kSample) open.push_back(ticket);
  }
  REQUIRE(open.size() > 10);
  const double while_open = verifier->GetStats(now).served_wrong_at_most;
  Now later = now;
  later.unix_ns += (kLongestTrialMinutes + 1) * kMinute;
  CHECK(verifier->GetStats(later).served_wrong_at_most < while_open / 2);
  for (const Ticket& ticket : open) verifier->Report(ticket, Outcome::kLost, now);
  CHECK(verifier->GetStats(now).served_wrong_at_most < while_open / 2);
  CHECK(verifier->GetStats(now).lost == open.size());
}

TEST_CASE("more entries than slots: memory is what it was, and who is new gets in") {
  const auto segment = MakeSegment(1);
  Rules rules = RulesOf(0.2);
  rules.max_entries = 1;
  const auto verifier = *Verifier::Create(segment.get(), "test", rules);
  const size_t used = segment->bytes_used();
  const Now now{0, kStart};
  for (uint64_t i = 0; i < 50'000; ++i) {
    verifier->Report(verifier->Decide({1 + i % 5000, "", 0.95}, now), Outcome::kRight, now);
  }
  CHECK(segment->bytes_used() == used);
  int given = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    if (verifier->Decide({9000 + i, "", 0.95}, now).choice == Choice::kServe) ++given;
  }
  CHECK(given > 50);
}

TEST_CASE("rules out of range are refused, strange similarities are not") {
  const auto segment = MakeSegment(1);
  const auto refused = [&](double rate, double confidence, double share, double similarity) {
    return Verifier::Create(segment.get(), "x", {rate, confidence, share, similarity, 10})
               .status()
               .code() == absl::StatusCode::kInvalidArgument;
  };
  CHECK(refused(0, 0.95, 0.1, 0.5));
  CHECK(refused(1.5, 0.95, 0.1, 0.5));
  CHECK(refused(0.1, 1, 0.1, 0.5));
  CHECK(refused(0.1, 0.95, 2, 0.5));
  CHECK(refused(0.1, 0.95, 0.1, 1));
  const double nan = std::nan("");
  CHECK(refused(nan, 0.95, 0.1, 0.5));
  const auto verifier = *Verifier::Create(segment.get(), "x", RulesOf(1));
  for (const double similarity : {-2.0, 0.0, 1.0, 1.5, nan}) {
    CHECK(verifier->Decide({1, "", similarity}, {}).band < 4);
  }
}

}  // namespace
}  // namespace weir::learning
