#include "dialects/event_stream.h"

#include "tests/dialects/answer_fixtures.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::Frame;
using testing::kBedrockFrames;
using testing::Outcome;
using testing::Run;

struct Read {
  bool unreadable = false;
  std::string message{}, event{}, exception{}, code{}, text{}, payload{};
  bool operator==(const Read&) const = default;
};

std::vector<Read> ReadAll(std::string_view body, const std::vector<size_t>& cuts,
                          size_t bound = kMaxEventBytes) {
  EventStreamReader reader(bound);
  std::vector<Read> frames;
  const auto note = [&] {
    const EventStreamReader::Frame& frame = reader.frame();
    if (!frame.present) return;
    const auto own = [](std::string_view text) { return std::string(text); };
    frames.push_back({frame.unreadable, own(frame.message_type), own(frame.event_type),
                      own(frame.exception_type), own(frame.error_code), own(frame.error_message),
                      own(frame.payload)});
  };
  const auto look = [&](const EventStreamReader::Progress& progress) {
    if (progress.frame_end) note();
  };
  REQUIRE(testing::ReadInPieces(&reader, body, cuts, look, note));
  return frames;
}

uint32_t NaiveCrc32(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
  }
  return ~crc;
}

TEST_CASE("the checksum is zlib's") {
  CHECK(Crc32("123456789") == 0xCBF43926);
  CHECK(Crc32("") == 0);
  Random random(3);
  for (int round = 0; round < 500; ++round) {
    std::string bytes(random.Below(100), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.Below(256));
    REQUIRE(Crc32(bytes) == NaiveCrc32(bytes));
    const size_t cut = random.Below(bytes.size() + 1);
    REQUIRE(Crc32(bytes.substr(cut), Crc32(bytes.substr(0, cut))) == Crc32(bytes));
  }
}

// The example of AWS's own description of the encoding, and its empty message.
TEST_CASE("published messages are read") {
  const std::string empty("\0\0\0\x10\0\0\0\0\x05\xC2\x48\xEB\x7D\x98\xC8\xFF", 16);
  CHECK(ReadAll(empty, {}) == std::vector<Read>{Read{}});
  const std::string payload_only("\0\0\0\x1D\0\0\0\0\xFD\x52\x8C\x5A{'foo':'bar'}\xC3\x65\x39\x36",
                                 29);
  CHECK(ReadAll(payload_only, {}) == std::vector<Read>{Read{.payload = "{'foo':'bar'}"}});
}

TEST_CASE("what is written is read, however it is cut") {
  std::string body = Frame("contentBlockDelta", "{\"a\":1}");
  AppendFrame(&body, {{":message-type", "exception"}, {":exception-type", "throttling"}}, "{}");
  AppendFrame(&body,
              {{":message-type", "error"}, {":error-code", "500"}, {":error-message", "boom"}}, "");
  AppendFrame(&body, {}, std::string(300, '\xFF'));  // a payload that looks like no length
  const std::vector<Read> expected = {
      {.message = "event", .event = "contentBlockDelta", .payload = "{\"a\":1}"},
      {.message = "exception", .exception = "throttling", .payload = "{}"},
      {.message = "error", .code = "500", .text = "boom"},
      {.payload = std::string(300, '\xFF')}};
  CHECK(ReadAll(body, {}) == expected);
  CHECK(ReadAll(body, testing::EveryByte(body.size())) == expected);
  for (size_t cut = 0; cut <= body.size(); ++cut) REQUIRE(ReadAll(body, {cut}) == expected);
  Random random(4);
  for (int round = 0; round < 200; ++round) {
    REQUIRE(ReadAll(body, testing::RandomCuts(&random, body.size())) == expected);
  }
}

// Every type of header value, of which only strings are told.
TEST_CASE("headers of other types are passed over") {
  using namespace std::string_literals;
  const std::string headers = "\1a\0"s + "\1b\1"s + "\1c\2x"s + "\1d\3xx"s + "\1e\4xxxx"s +
                              "\1f\5xxxxxxxx"s + "\1g\6\0\2xx"s + "\1h\x08xxxxxxxx"s +
                              "\1i\x09xxxxxxxxxxxxxxxx"s + "\x0B:event-type\7\0\1e"s;
  const auto frame_of = [](const std::string& headers_bytes) {
    std::string frame;
    const auto number = [&](uint32_t value) {
      for (int shift = 24; shift >= 0; shift -= 8)
        frame.push_back(static_cast<char>(value >> shift));
    };
    number(static_cast<uint32_t>(16 + headers_bytes.size()));
    number(static_cast<uint32_t>(headers_bytes.size()));
    number(Crc32(frame));
    frame += headers_bytes;
    number(Crc32(frame));
    return frame;
  };
  CHECK(ReadAll(frame_of(headers), {}) == std::vector<Read>{{.event = "e"}});
  // Cut anywhere but between headers, they are not headers.
  size_t good = 0;
  for (size_t size = 0; size < headers.size(); ++size) {
    const std::vector<Read> frames = ReadAll(frame_of(headers.substr(0, size)), {});
    REQUIRE(frames.size() == 1);
    if (!frames[0].unreadable) ++good;
  }
  CHECK(good == 10);
  CHECK(ReadAll(frame_of("\1a\x0A"), {})[0].unreadable);
}

TEST_CASE("a wrong checksum or length is seen, whichever byte is wrong") {
  const std::string first = Frame("metadata", R"({"usage":{"inputTokens":3}})");
  const std::string second = Frame("messageStop", R"({"stopReason":"end_turn"})");
  for (size_t at = 0; at < first.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string body = first + second;
      body[at] = static_cast<char>(body[at] ^ (1 << bit));
      const Outcome outcome = Run(body, {}, false, kBedrockFrames);
      REQUIRE(outcome.relayed == body);
      REQUIRE(outcome.usage == Usage{});
      REQUIRE(outcome.unreadable == 1);
      // A prelude that is wrong leaves nothing to go on from.
      REQUIRE(outcome.done == (at >= 12));
    }
  }
}

TEST_CASE("lengths that lie cost nothing") {
  for (uint32_t total : {0u, 1u, 15u, 16u, 17u, 1000u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
    for (uint32_t headers : {0u, 1u, 16u, 984u, 985u, 0xFFFFFFFFu}) {
      std::string frame;
      for (uint32_t value : {total, headers}) {
        for (int shift = 24; shift >= 0; shift -= 8) {
          frame.push_back(static_cast<char>(value >> shift));
        }
      }
      const uint32_t crc = Crc32(frame);
      for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(crc >> shift));
      frame.append(2000, 'x');
      const std::vector<Read> frames = ReadAll(frame, {});
      REQUIRE_FALSE(frames.empty());
      for (const Read& read : frames) REQUIRE(read.unreadable);
      REQUIRE(ReadAll(frame, testing::EveryByte(frame.size())) == frames);
    }
  }
}

TEST_CASE("a frame above the bound is passed by, and the next one is read") {
  const std::string large = Frame("contentBlockDelta", std::string(3000, 'x'));
  const std::string small = Frame("metadata", "{}");
  const std::vector<Read> expected = {{.unreadable = true},
                                      {.message = "event", .event = "metadata", .payload = "{}"}};
  const std::string body = large + small;
  CHECK(ReadAll(body, {}, 2000) == expected);
  CHECK(ReadAll(body, testing::EveryByte(body.size()), 2000) == expected);
  CHECK_FALSE(ReadAll(body, {}, large.size())[0].unreadable);
  CHECK(ReadAll(body, {}, large.size() - 1)[0].unreadable);
}

TEST_CASE("what the end of the body cuts off is unreadable, once") {
  const std::string body = Frame("metadata", "{}");
  for (size_t size = 1; size < body.size(); ++size) {
    REQUIRE(ReadAll(body.substr(0, size), {}) == std::vector<Read>{{.unreadable = true}});
    REQUIRE(ReadAll(body + body.substr(0, size), {}).size() == 2);
  }
  CHECK(ReadAll("", {}).empty());
}

TEST_CASE("unreadable bytes are counted, so that they can be charged for") {
  const std::string good = Frame("contentBlockDelta", R"({"delta":{"text":"a"}})");
  const auto unreadable = [](const std::string& body) {
    auto reader = StreamReader::Create(Dialect::kBedrock, Operation::kChat);
    reader->Feed(body, nullptr);
    reader->End(nullptr);
    return reader->unreadable_bytes();
  };
  CHECK(unreadable(good) == 0);
  std::string wrong = good;
  wrong.back() ^= 1;
  CHECK(unreadable(good + wrong + good) == good.size());
  wrong = good;
  wrong[0] ^= 1;
  CHECK(unreadable(good + wrong + good) == 2 * good.size());
  CHECK(unreadable(good + good.substr(0, 20)) == 20);
  CHECK(unreadable(testing::ChunkFrame("{}")) == 0);
  CHECK(unreadable(Frame("chunk", R"({"bytes":"!"})")) ==
        Frame("chunk", R"({"bytes":"!"})").size());
}

TEST_CASE("a header too long to write is cut") {
  std::string body;
  AppendFrame(&body, {{std::string(300, 'n'), std::string(70000, 'v')}, {":event-type", "e"}}, "p");
  CHECK(ReadAll(body, {}) == std::vector<Read>{{.event = "e", .payload = "p"}});
}

}  // namespace
}  // namespace weir::dialects
