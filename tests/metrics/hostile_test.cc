// Bounds and bytes: no input mints series without end, forges a line or loses one.

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/metrics/prometheus_parser.h"
#include "tests/support/allocations.h"
#include "tests/support/catch.h"
#include "weir/metrics.h"

namespace weir::metrics {
namespace {

using testing::AllocationsOfThisThread;
using testing::Exposition;
using testing::PrometheusParser;

Exposition MustParse(const std::string& text) {
  std::string error;
  const auto parsed = PrometheusParser::Parse(text, &error);
  INFO(error);
  REQUIRE(parsed.has_value());
  return *parsed;
}

// What a label is to hold, by another way than the library's: character by character.
std::string ExpectedLabel(std::string_view value) {
  std::string clean;
  while (!value.empty()) {
    size_t length = 1;
    while (length < 4 && length < value.size() &&
           FindInvalidUtf8(value.substr(0, length)) != std::string_view::npos) {
      ++length;
    }
    std::string character(value.substr(0, length));
    if (FindInvalidUtf8(character) != std::string_view::npos) {
      character = "\xEF\xBF\xBD";
      length = 1;
    }
    if (clean.size() + character.size() > kMaxLabelValueBytes) break;
    clean += character;
    value.remove_prefix(length);
  }
  return clean;
}

std::string HostileValue(Random* random) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "\"",
                                                   "\\",
                                                   "\n",
                                                   "\\n",
                                                   "\r",
                                                   std::string(1, '\0'),
                                                   "{",
                                                   "}",
                                                   ",",
                                                   "=",
                                                   " ",
                                                   "#",
                                                   "\xC3\xA9",
                                                   "\xE2\x82\xAC",
                                                   "\xF0\x9F\x98\x80",
                                                   "\xFF",
                                                   "\xC3",
                                                   "\xE2\x82",
                                                   "\xED\xA0\x80",
                                                   "\xF0\x9F",
                                                   "\x80",
                                                   "\x7F",
                                                   "\x1B[0m",
                                                   "\xE2\x80\xAE",
                                                   "} 1\nforged{x=\"",
                                                   "other",
                                                   "# TYPE x counter\n"};
  std::string value;
  const uint64_t shape = random->Below(8);
  const uint64_t pieces = shape == 0 ? 0 : shape == 1 ? random->Below(300) : random->Below(6);
  for (uint64_t i = 0; i < pieces; ++i) value += kPieces[random->Below(kPieces.size())];
  if (shape == 2) value += std::string(250 + random->Below(8), 'x');
  if (shape == 3) {
    for (uint64_t i = random->Below(8); i > 0; --i) {
      value.push_back(static_cast<char>(random->Below(256)));
    }
  }
  return value;
}

TEST_CASE("a million invented models make max_series series and one more") {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddCounter(
      {.name = "c", .help = "", .labels = {"model", "key"}, .max_series = 100});
  Random random(1);
  std::array<char, 16> model{};
  const auto next = [&] {
    for (char& c : model) c = static_cast<char>('a' + random.Below(26));
    return std::string_view(model.data(), model.size());
  };
  constexpr uint64_t kUpdates = 1'000'000;
  uint64_t allocated_when_full = 0;
  for (uint64_t i = 0; i < kUpdates; ++i) {
    if (i == kUpdates / 2) allocated_when_full = AllocationsOfThisThread();
    registry->Increment(id, {next(), "k"}, 1);
  }
  const uint64_t allocated_at_end = AllocationsOfThisThread();
  CHECK(allocated_at_end == allocated_when_full);
  const Exposition text = MustParse(registry->PrometheusText());
  CHECK(text.samples.size() == 101);
  uint64_t total = 0;
  uint64_t others = 0;
  for (const auto& sample : text.samples) {
    total += std::stoull(sample.value);
    if (sample.labels[0].second == "other" && sample.labels[1].second == "other") {
      others = std::stoull(sample.value);
    }
  }
  CHECK(total == kUpdates);
  CHECK(others == kUpdates - 100);
}

TEST_CASE("known series are updated without allocating") {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddHistogram(
      {.name = "h", .help = "", .labels = {"a", "b", "c", "d", "e", "f"}}, {1, 2, 3}, 1);
  const std::string long_value(300, 'x');
  const std::array<std::string_view, 6> labels = {"1", "2", "3", "\xFF", long_value, "6"};
  registry->Observe(id, labels, 1);
  const uint64_t before = AllocationsOfThisThread();
  for (int i = 0; i < 100; ++i) registry->Observe(id, labels, 1);
  const uint64_t after = AllocationsOfThisThread();
  CHECK(after == before);
}

TEST_CASE("a caller who says other gets the series of the rest") {
  auto registry = Registry::Create();
  const FamilyId id =
      *registry->AddCounter({.name = "c", .help = "", .labels = {"a", "b"}, .max_series = 1});
  registry->Increment(id, {"other", "other"}, 1);
  registry->Increment(id, {"other", "x"}, 10);
  registry->Increment(id, {"y", "other"}, 100);
  registry->Increment(id, {"other", "other"}, 1000);
  CHECK(registry->PrometheusText() ==
        "# HELP c_total \n# TYPE c_total counter\n"
        "c_total{a=\"other\",b=\"other\"} 1101\nc_total{a=\"other\",b=\"x\"} 10\n");
}

TEST_CASE("hostile label values come back equal, and none adds or hides a line") {
  Random random(20260101);
  constexpr int kRounds = 200;
  constexpr int kUpdates = 60;  // 12,000 label pairs
  for (int round = 0; round < kRounds; ++round) {
    auto registry = Registry::Create();
    const std::string help = HostileValue(&random);
    const FamilyId id = *registry->AddCounter(
        {.name = "c", .help = help, .labels = {"first", "second"}, .max_series = 2000});
    const FamilyId after = *registry->AddGauge({.name = "last", .help = "h"});
    registry->Set(after, {}, 271);
    std::map<std::pair<std::string, std::string>, uint64_t> expected;
    for (int i = 0; i < kUpdates; ++i) {
      const std::string first = HostileValue(&random);
      const std::string second = HostileValue(&random);
      const uint64_t by = random.Below(1000);
      registry->Increment(id, {first, second}, by);
      expected[{ExpectedLabel(first), ExpectedLabel(second)}] += by;
    }
    const std::string text = registry->PrometheusText();
    REQUIRE(FindInvalidUtf8(text) == std::string_view::npos);
    const Exposition parsed = MustParse(text);
    REQUIRE(parsed.type.size() == 2);
    REQUIRE(parsed.type.at("c_total") == "counter");
    if (FindInvalidUtf8(help) == std::string_view::npos) {
      REQUIRE(parsed.help.at("c_total") == help);
    }
    std::map<std::pair<std::string, std::string>, uint64_t> seen;
    for (const auto& sample : parsed.samples) {
      if (sample.name == "last") continue;
      REQUIRE(sample.labels.size() == 2);
      seen[{sample.labels[0].second, sample.labels[1].second}] = std::stoull(sample.value);
    }
    REQUIRE(seen == expected);
    REQUIRE(parsed.samples.back().name == "last");
    REQUIRE(parsed.samples.back().value == "271");
  }
}

TEST_CASE("values are cut between characters") {
  const std::string limit(kMaxLabelValueBytes, 'x');
  const std::string euro = "\xE2\x82\xAC";
  CHECK(ExpectedLabel(limit + "y") == limit);
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddCounter({.name = "c", .help = "", .labels = {"a"}});
  registry->Increment(id, {limit}, 1);
  registry->Increment(id, {limit + "y"}, 10);
  registry->Increment(id, {limit.substr(2) + euro}, 100);
  registry->Increment(id, {limit.substr(3) + euro}, 1000);
  registry->Increment(id, {limit.substr(2) + "\xFF"}, 10000);
  registry->Increment(id, {std::string(1 << 20, '\xFF')}, 100000);
  std::map<std::string, std::string> seen;
  for (const auto& sample : MustParse(registry->PrometheusText()).samples) {
    seen[sample.labels[0].second] = sample.value;
  }
  std::string replaced;
  for (int i = 0; i < 85; ++i) replaced += "\xEF\xBF\xBD";
  const std::map<std::string, std::string> expected = {{limit, "11"},
                                                       {limit.substr(2), "10100"},
                                                       {limit.substr(3) + euro, "1000"},
                                                       {replaced, "100000"}};
  CHECK(seen == expected);
}

TEST_CASE("random histograms match a naive count") {
  Random random(7);
  for (int round = 0; round < 300; ++round) {
    std::set<uint64_t> bounds;
    for (uint64_t i = random.Below(12); i > 0; --i) bounds.insert(random.Below(1000));
    const std::vector<uint64_t> ascending(bounds.begin(), bounds.end());
    auto registry = Registry::Create();
    const FamilyId id = *registry->AddHistogram({.name = "h", .help = ""}, ascending, 1);
    std::vector<uint64_t> values(random.Below(60));
    uint64_t sum = 0;
    for (uint64_t& value : values) {
      value = random.Below(1100);
      sum += value;
      registry->Observe(id, {}, value);
    }
    const Exposition parsed = MustParse(registry->PrometheusText());
    REQUIRE(parsed.samples.size() == ascending.size() + 3);
    for (size_t i = 0; i < ascending.size(); ++i) {
      uint64_t count = 0;
      for (uint64_t value : values) count += value <= ascending[i] ? 1 : 0;
      REQUIRE(parsed.samples[i].labels[0].second == std::to_string(ascending[i]));
      REQUIRE(parsed.samples[i].value == std::to_string(count));
    }
    REQUIRE(parsed.samples[ascending.size()].labels[0].second == "+Inf");
    REQUIRE(parsed.samples[ascending.size()].value == std::to_string(values.size()));
    REQUIRE(parsed.samples[ascending.size() + 1].value == std::to_string(sum));
    REQUIRE(parsed.samples[ascending.size() + 2].value == std::to_string(values.size()));
  }
}

}  // namespace
}  // namespace weir::metrics
