// Identify against the look-up that many gateways do: a hash map of plain keys. The map is faster
// by the whole HMAC and keeps every key in memory for whoever reads a core dump.
//
// The last one measures nothing but a difference: Welch's t between the times of keys that are
// known and keys that are not (Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?").
// |t| below 4.5 finds no leak.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "weir/auth.h"

namespace weir::auth {
namespace {

constexpr std::string_view kPepper = "a pepper of thirty-two bytes....";

// Keys of the usual length, about 50 bytes.
std::string Key(uint64_t i) {
  Random random(i);
  std::string key = "sk-";
  while (key.size() < 48) key.push_back(static_cast<char>('a' + random.Below(26)));
  return key;
}

std::vector<std::string> Keys(int64_t count) {
  std::vector<std::string> keys;
  for (int64_t i = 0; i < count; ++i) keys.push_back(Key(static_cast<uint64_t>(i)));
  return keys;
}

std::unique_ptr<KeyRing> Ring(const std::vector<std::string>& keys) {
  std::vector<Consumer> consumers;
  for (const std::string& key : keys) {
    consumers.push_back({"consumer-" + key, {}, {HashKey(kPepper, key)}, {}});
  }
  return *KeyRing::Create(kPepper, std::move(consumers));
}

Identity IdentifyKey(const KeyRing& ring, std::string_view key) {
  const Header headers[] = {{"host", "gateway.example"},
                            {"content-type", "application/json"},
                            {"user-agent", "OpenAI/JS 6.49"},
                            {"api-key", key}};
  return ring.Identify(headers);
}

void BM_Identify_KnownKey(benchmark::State& state) {
  const auto keys = Keys(state.range(0));
  const auto ring = Ring(keys);
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(IdentifyKey(*ring, keys[i]));
    i = i + 1 < keys.size() ? i + 1 : 0;
  }
}
BENCHMARK(BM_Identify_KnownKey)->Arg(10)->Arg(10'000);

void BM_Identify_UnknownKey(benchmark::State& state) {
  const auto ring = Ring(Keys(state.range(0)));
  const std::string key = Key(1'000'000);
  for (auto _ : state) benchmark::DoNotOptimize(IdentifyKey(*ring, key));
}
BENCHMARK(BM_Identify_UnknownKey)->Arg(10)->Arg(10'000);

void BM_Neighbour_UnorderedMapOfPlainKeys(benchmark::State& state) {
  const auto keys = Keys(state.range(0));
  std::unordered_map<std::string, size_t> map;
  for (size_t k = 0; k < keys.size(); ++k) map[keys[k]] = k;
  size_t i = 0;
  for (auto _ : state) {
    // The key arrives as a view into the headers; this map wants a string of it.
    const std::string_view key = keys[i];
    benchmark::DoNotOptimize(map.find(std::string(key)));
    i = i + 1 < keys.size() ? i + 1 : 0;
  }
}
BENCHMARK(BM_Neighbour_UnorderedMapOfPlainKeys)->Arg(10)->Arg(10'000);

void BM_FindCredential_FourHeaders(benchmark::State& state) {
  const Header headers[] = {{"host", "gateway.example"},
                            {"content-type", "application/json"},
                            {"user-agent", "OpenAI/JS 6.49"},
                            {"authorization", "Bearer sk-abcdefghijklmnopqrstuvwxyz0123456789"}};
  for (auto _ : state) benchmark::DoNotOptimize(FindCredential(headers));
}
BENCHMARK(BM_FindCredential_FourHeaders);

void BM_TimingDifference_KnownAgainstUnknown(benchmark::State& state) {
  const auto ring = Ring(Keys(1'000));
  const std::string key[2] = {Key(500), Key(1'000'000)};
  Random random(1);
  double count[2] = {0, 0};
  double mean[2] = {0, 0};
  double squares[2] = {0, 0};
  for (auto _ : state) {
    const uint64_t which = random.Below(2);
    const auto begin = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(IdentifyKey(*ring, key[which]));
    const double ns =
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
    if (ns > 10'000) continue;  // an interrupt, not the code
    count[which] += 1;
    const double delta = ns - mean[which];
    mean[which] += delta / count[which];
    squares[which] += delta * (ns - mean[which]);
  }
  const double spread =
      squares[0] / (count[0] - 1) / count[0] + squares[1] / (count[1] - 1) / count[1];
  state.counters["t"] = (mean[0] - mean[1]) / std::sqrt(spread);
}
BENCHMARK(BM_TimingDifference_KnownAgainstUnknown)->Iterations(1'000'000);

}  // namespace
}  // namespace weir::auth
