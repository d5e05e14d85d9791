// Random exchanges with hostile texts, that own what their views show.

#ifndef WEIR_TESTS_LEDGER_EXCHANGES_H_
#define WEIR_TESTS_LEDGER_EXCHANGES_H_

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "weir/ledger.h"

namespace weir::testing {

class ExchangeMaker {
 public:
  explicit ExchangeMaker(uint64_t seed) : random_(seed) {}

  // Valid until the next one.
  ledger::Exchange Make() {
    texts_.clear();
    ledger::Exchange made;
    made.id_hi = random_.Next();
    made.id_lo = random_.Next();
    made.unix_ns = static_cast<int64_t>(random_.Next() >> 2) / 1000 * 1000;
    if (Flip()) made.trace = ledger::Trace{random_.Next(), random_.Next(), random_.Next(), Flip()};
    made.consumer = Text();
    made.route = Text();
    made.operation = Text();
    made.stream = Flip();
    made.model = Text();
    made.served = Text();
    made.response_model = Text();
    made.backend = Text();
    made.provider = Text();
    made.status = static_cast<int>(random_.Next() % 1000);
    made.outcome = Text();
    if (Flip()) made.usage = MakeUsage();
    if (Flip()) made.cost = MakeCost();
    if (Flip()) made.cache = MakeCache();
    made.latency = {Number<int64_t>(), Number<int64_t>(), Maybe<int64_t>()};
    for (uint64_t i = random_.Next() % 5; i > 0; --i) {
      made.attempts.push_back(
          {Text(), Number<int>(), Text(), Number<int64_t>(), Number<int64_t>(), Maybe<uint32_t>()});
    }
    for (uint64_t i = random_.Next() % 5; i > 0; --i) {
      made.limits.push_back({Text(), Flip(), Flip(), Number<uint64_t>(), Number<uint64_t>(),
                             Number<uint64_t>(), Number<uint64_t>(), Maybe<uint64_t>()});
    }
    for (uint64_t i = random_.Next() % 5; i > 0; --i) made.dimensions.push_back({Text(), Text()});
    return made;
  }

  // Any bytes, often those that mean something to somebody; sometimes long.
  std::string_view Text() {
    constexpr std::string_view kOdd[] = {"\"",
                                         "\\",
                                         "\n",
                                         "\r",
                                         "\x1b[2J",
                                         "\x7f",
                                         "\xff",
                                         "\xc0\xaf",
                                         "\xe2\x80\xae",
                                         "\xe2\x80\xa8",
                                         "\xf0\x9f\x98\x80",
                                         "\xed\xa0\x80",
                                         "\xc2\x85",
                                         "{\"weir\":1,",
                                         "\\u0000",
                                         "\xc3\xa9",
                                         "\xf4\x90\x80\x80"};
    std::string text;
    for (uint64_t pieces = random_.Next() % (random_.Next() % 16 == 0 ? 80 : 6); pieces > 0;
         --pieces) {
      const uint64_t kind = random_.Next() % 4;
      if (kind == 0) {
        text += kOdd[random_.Next() % std::size(kOdd)];
      } else if (kind == 1) {
        text += static_cast<char>(random_.Next());
      } else {
        text += "gpt-4o-team_red";
      }
    }
    return texts_.emplace_back(std::move(text));
  }

  bool Flip() { return random_.Next() % 2 == 0; }
  template <typename Integer>
  Integer Number() {
    return static_cast<Integer>(random_.Next() >> random_.Next() % 64);
  }
  template <typename Integer>
  std::optional<Integer> Maybe() {
    return Flip() ? std::optional<Integer>(Number<Integer>()) : std::nullopt;
  }

  ledger::Usage MakeUsage() {
    return {Maybe<uint64_t>(),
            Maybe<uint64_t>(),
            Maybe<uint64_t>(),
            Maybe<uint64_t>(),
            Maybe<uint64_t>(),
            Maybe<uint64_t>(),
            Maybe<uint64_t>(),
            Text(),
            Text()};
  }
  ledger::Price MakePrice() {
    return {Maybe<uint64_t>(), Maybe<uint64_t>(), Maybe<uint64_t>(), Maybe<uint64_t>()};
  }

 private:
  ledger::Cost MakeCost() {
    ledger::Cost cost;
    cost.micro_usd = Maybe<uint64_t>();
    if (Flip()) {
      cost.price = MakePrice();
      cost.price_model = Text();
      cost.price_source = Text();
    }
    return cost;
  }
  ledger::CacheUse MakeCache() {
    return {"hit",
            Maybe<uint64_t>(),
            Maybe<uint64_t>(),
            Maybe<uint64_t>(),
            Maybe<uint64_t>(),
            Maybe<uint64_t>()};
  }

  Random random_;
  std::deque<std::string> texts_;
};

}  // namespace weir::testing

#endif  // WEIR_TESTS_LEDGER_EXCHANGES_H_
