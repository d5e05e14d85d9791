// What is written is one line, is JSON, stays within its bounds whatever is put in, and is read
// back as what it was.

#include <rapidjson/document.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "tests/ledger/exchanges.h"
#include "tests/support/allocations.h"
#include "tests/support/catch.h"
#include "weir/ledger.h"

namespace weir::ledger {
namespace {

using Buffer = std::array<char, kMaxLineBytes>;

std::string Line(const Exchange& exchange) {
  Buffer buffer;
  return std::string(buffer.data(), FormatLine(exchange, absl::MakeSpan(buffer)));
}

// The exchange of weir/ledger.h's example.
Exchange Ordinary() {
  Exchange made;
  made.id_hi = 0x0123456789abcdef;
  made.id_lo = 0xfedcba9876543210;
  made.unix_ns = 1795419747123456789;
  made.trace = Trace{0x0af7651916cd43dd, 0x8448eb211c80319c, 0xb7ad6b7169203331, true};
  made.consumer = "team-red";
  made.route = "chat";
  made.operation = "chat";
  made.stream = true;
  made.model = "gpt-4o";
  made.served = "deployment-4o";
  made.response_model = "gpt-4o-2024-08-06";
  made.backend = "payg-west";
  made.provider = "azure.ai.openai";
  made.status = 200;
  made.outcome = "ok";
  made.usage = Usage{1200, 340, 1024, {}, 0, {}, {}, "provider", "provider"};
  const Price price = {2'500'000, 1'250'000, {}, 10'000'000};
  made.cost = Cost{CostOf(price, *made.usage), "gpt-4o", "policy", price};
  made.latency = {2'345'678, 0, 456'789};
  made.attempts.push_back({"ptu-east", 429, "status", 120, 50'300, 100});
  made.attempts.push_back({"payg-west", 200, "ok", 50'600, 2'295'000, {}});
  made.limits.push_back({"per-consumer", true, false, 1540, 20'000, 50'000, 28'460, {}});
  made.dimensions.push_back({"team", "red"});
  made.dimensions.push_back({"app", "search"});
  return made;
}

TEST_CASE("an ordinary line") {
  CHECK(Line(Ordinary()) ==
        R"({"weir":1,"id":"0123456789abcdeffedcba9876543210","time":"2026-11-23T07:42:27.123456Z",)"
        R"("trace":{"id":"0af7651916cd43dd8448eb211c80319c","parent":"b7ad6b7169203331",)"
        R"("sampled":true},"consumer":"team-red","route":"chat","operation":"chat","stream":true,)"
        R"("model":"gpt-4o","served":"deployment-4o","response_model":"gpt-4o-2024-08-06",)"
        R"("backend":"payg-west","provider":"azure.ai.openai","status":200,"outcome":"ok",)"
        R"("usage":{"prompt":1200,"completion":340,"cached":1024,"reasoning":0,)"
        R"("prompt_provenance":"provider","completion_provenance":"provider"},)"
        R"("cost":{"micro_usd":5120,"price":{"model":"gpt-4o","source":"policy","input":2500000,)"
        R"("cached_input":1250000,"output":10000000}},)"
        R"("latency":{"total_us":2345678,"first_byte_us":456789},)"
        R"("attempts":[{"backend":"ptu-east","status":429,"outcome":"status","sent_us":120,)"
        R"("took_us":50300,"utilization":100},{"backend":"payg-west","status":200,"outcome":"ok",)"
        R"("sent_us":50600,"took_us":2295000}],)"
        R"("limits":[{"limit":"per-consumer","admitted":true,"cost":1540,"before":20000,)"
        R"("amount":50000,"remaining":28460}],"dimensions":{"team":"red","app":"search"}})"
        "\n");
}

TEST_CASE("a line of nothing, and a buffer that is too small") {
  CHECK(Line({}) == R"({"weir":1,"id":"00000000000000000000000000000000",)"
                    R"("time":"1970-01-01T00:00:00.000000Z","status":0,"latency":{"total_us":0}})"
                    "\n");
  std::vector<char> small(kMaxLineBytes - 1, 'x');
  CHECK(FormatLine({}, absl::MakeSpan(small)) == 0);
  CHECK(std::all_of(small.begin(), small.end(), [](char c) { return c == 'x'; }));
}

// What is unknown is told apart from nothing.
TEST_CASE("an unknown cost is null, never 0") {
  Exchange exchange;
  exchange.usage = Usage{};
  exchange.cost = Cost{};
  const std::string line = Line(exchange);
  CHECK(line.find(R"("usage":{},"cost":{"micro_usd":null})") != std::string::npos);
  LineReader reader;
  Exchange read;
  REQUIRE(reader.Read(line, &read));
  REQUIRE(read.cost.has_value());
  CHECK_FALSE(read.cost->micro_usd.has_value());
  CHECK_FALSE(read.usage->prompt.has_value());
}

bool IsSteered(std::string_view line) {
  for (const char c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') return true;
  }
  for (const std::string_view mark : {"\xe2\x80\xae", "\xe2\x80\xa8", "\xe2\x80\x8b", "\xc2\x85"}) {
    if (line.find(mark) != std::string_view::npos) return true;
  }
  return false;
}

TEST_CASE("any bytes make one line of JSON within its bounds") {
  testing::ExchangeMaker maker(11);
  for (int i = 0; i < 20'000; ++i) {
    const std::string line = Line(maker.Make());
    REQUIRE(line.size() <= kMaxLineBytes);
    REQUIRE(line.back() == '\n');
    const std::string_view body = std::string_view(line).substr(0, line.size() - 1);
    REQUIRE(FindInvalidUtf8(body) == std::string_view::npos);
    REQUIRE_FALSE(IsSteered(body));
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(body.data(), body.size());
    REQUIRE_FALSE(document.HasParseError());
    // Nothing inside looks like another line's beginning.
    REQUIRE(body.find(R"({"weir":1,)", 1) == std::string_view::npos);
  }
}

TEST_CASE("the longest line fits") {
  const std::string controls(1000, '\x01');
  const uint64_t most = UINT64_MAX;
  Exchange exchange;
  for (std::string_view* text :
       {&exchange.consumer, &exchange.route, &exchange.operation, &exchange.model, &exchange.served,
        &exchange.backend, &exchange.outcome, &exchange.cache.result}) {
    *text = controls;
  }
  exchange.stream = true;
  exchange.status = INT32_MIN;
  exchange.unix_ns = INT64_MAX / 2;
  exchange.usage = Usage{most, most, most, most, most, most, most, controls, controls};
  exchange.cost = Cost{most, controls, controls, Price{most, most, most, most}};
  exchange.cache.saved_prompt = exchange.cache.saved_completion = most;
  exchange.cache.saved_micro_usd = exchange.cache.similarity_ppm = exchange.cache.age_ms = most;
  exchange.latency = {INT64_MIN, INT64_MIN, INT64_MIN};
  for (int i = 0; i < 100; ++i) {
    exchange.attempts.push_back({controls, INT32_MIN, controls, INT64_MIN, INT64_MIN, UINT32_MAX});
    exchange.limits.push_back({controls, false, true, most, most, most, most, most});
    exchange.dimensions.push_back({controls, controls});
  }
  std::vector<char> buffer(kMaxLineBytes + 64, '#');
  const size_t size = FormatLine(exchange, absl::MakeSpan(buffer).first(kMaxLineBytes));
  REQUIRE(size > 20'000);
  REQUIRE(size <= kMaxLineBytes);
  CHECK(buffer[kMaxLineBytes] == '#');
  LineReader reader;
  Exchange read;
  REQUIRE(reader.Read({buffer.data(), size}, &read));
  CHECK(read.attempts.size() == kMaxAttempts);
  CHECK(read.limits.size() == kMaxLimits);
  CHECK(read.dimensions.size() == kMaxDimensions);
  CHECK(read.consumer == std::string(kMaxTextBytes / 6, '\x01'));
  // An explanation has what room is left, to the last byte.
  for (size_t bytes = kMaxLineBytes - size - 100; bytes < kMaxLineBytes - size + 10; ++bytes) {
    const std::string explanation = '"' + std::string(bytes, 'e') + '"';
    exchange.explain = explanation;
    const size_t explained = FormatLine(exchange, absl::MakeSpan(buffer).first(kMaxLineBytes));
    REQUIRE((explained == size || explained == size + 11 + explanation.size()));
    REQUIRE((explained <= kMaxLineBytes && buffer[kMaxLineBytes] == '#'));
    REQUIRE(reader.Read({buffer.data(), explained}, &read));
    if (bytes == kMaxLineBytes - size - 100) CHECK(explained > size);
  }
}

// Written, read and written again is the same; and a text that needs no cut is what it was.
TEST_CASE("lines are read back as what they were") {
  testing::ExchangeMaker maker(12);
  LineReader reader;
  for (int i = 0; i < 20'000; ++i) {
    const Exchange made = maker.Make();
    const std::string line = Line(made);
    Exchange read;
    REQUIRE(reader.Read(line, &read));
    REQUIRE(Line(read) == line);
    REQUIRE(read.id_hi == made.id_hi);
    REQUIRE(read.unix_ns == made.unix_ns);
    REQUIRE(read.usage.has_value() == made.usage.has_value());
    if (made.usage) REQUIRE(read.usage->cached == made.usage->cached);
    REQUIRE(read.attempts.size() == made.attempts.size());
    const bool is_short = made.model.size() * 6 <= kMaxTextBytes;
    if (is_short && FindInvalidUtf8(made.model) == std::string_view::npos) {
      REQUIRE(read.model == made.model);
    }
  }
}

TEST_CASE("what is no line of a ledger is not read as one") {
  LineReader reader;
  Exchange read;
  const std::string line = Line(Ordinary());
  REQUIRE(reader.Read(line, &read));
  for (size_t size = 0; size + 1 < line.size(); ++size) {
    REQUIRE_FALSE(reader.Read(line.substr(0, size), &read));
  }
  const auto with = [&line](std::string_view from, std::string_view to) {
    std::string changed = line;
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };
  CHECK(reader.Read(with(R"("stream":true)", R"("news":[{"a":null}],"stream":true)"), &read));
  CHECK_FALSE(reader.Read(with(R"("weir":1)", R"("weir":2)"), &read));
  CHECK_FALSE(reader.Read(with("07:42", "07:62"), &read));
  CHECK_FALSE(reader.Read(with("11-23T", "11-31T"), &read));
  CHECK_FALSE(reader.Read(with(R"("status":200)", R"("status":"200")"), &read));
  CHECK_FALSE(reader.Read(with(R"("prompt":1200)", R"("prompt":-1)"), &read));
  CHECK_FALSE(reader.Read(with(R"("prompt":1200)", R"("prompt":1.5)"), &read));
  CHECK_FALSE(reader.Read(with(R"("completion":340)", R"("completion":1e400)"), &read));
  CHECK_FALSE(reader.Read(with("0123456789abcdef", "0123456789abcdeX"), &read));
  CHECK_FALSE(reader.Read("null", &read));
  CHECK_FALSE(reader.Read("[]", &read));
}

TEST_CASE("a poison line costs one line, and so does a torn one with another behind it") {
  const std::string line = Line(Ordinary());
  ReadCounts counts;
  const auto read = [&counts](const std::string& text) {
    counts = {};
    uint64_t taken = 0;
    ReadLines(
        text, [&taken](const Exchange&) { ++taken; }, &counts);
    CHECK(taken == counts.lines);
  };
  read(line + "garbage\n" + line + "\n\n" + line);
  CHECK(counts.lines == 3);
  CHECK(counts.poison == 1);
  for (size_t cut = 1; cut + 1 < line.size(); ++cut) {
    read(line + line.substr(0, cut) + line + line);
    REQUIRE(counts.lines == 3);
    REQUIRE(counts.poison == 1);
  }
  // A line that lacks but its line feed lost nothing.
  const std::string body = line.substr(0, line.size() - 1);
  read(body + line + body);
  CHECK(counts.lines == 3);
  CHECK(counts.poison == 0);
}

TEST_CASE("formatting allocates nothing") {
  const Exchange exchange = Ordinary();
  Buffer buffer;
  const uint64_t before = testing::AllocationsOfThisThread();
  for (int i = 0; i < 100; ++i) FormatLine(exchange, absl::MakeSpan(buffer));
  CHECK(testing::AllocationsOfThisThread() == before);
}

}  // namespace
}  // namespace weir::ledger
