#include "dialects/sse.h"

#include <optional>
#include <tuple>
#include <vector>

#include "tests/dialects/support.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

struct Read {
  bool oversize;
  std::string type, data;
  bool operator==(const Read&) const = default;
};

std::vector<Read> ReadAll(std::string_view body, const std::vector<size_t>& cuts, size_t bound) {
  SseReader reader(bound);
  std::vector<Read> events;
  const auto note = [&] {
    const SseReader::Event event = reader.event();
    if (event.present) {
      events.push_back({event.oversize, std::string(event.type), std::string(event.data)});
    }
  };
  const auto look = [&](const SseReader::Progress& progress) {
    if (progress.stop == SseReader::Stop::kBlockEnd) note();
  };
  REQUIRE(testing::ReadInPieces(&reader, body, cuts, look, note));
  return events;
}

// The standard's rules on the whole body, by copying and splitting.
std::vector<Read> NaiveReadAll(std::string body, size_t bound) {
  if (body.compare(0, 3, "\xEF\xBB\xBF") == 0) body.erase(0, 3);
  std::vector<std::string> lines(1);
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\r' && i + 1 < body.size() && body[i + 1] == '\n') continue;
    if (body[i] == '\r' || body[i] == '\n') {
      lines.emplace_back();
    } else {
      lines.back().push_back(body[i]);
    }
  }
  lines.emplace_back();  // the departure: the end of the body ends an event
  std::vector<Read> events;
  std::optional<std::string> data;
  std::string type;
  bool oversize = false;
  for (const std::string& line : lines) {
    if (line.empty()) {
      if (oversize) events.push_back({true, "", ""});
      if (!oversize && data) events.push_back({false, type, *data});
      data.reset();
      type.clear();
      oversize = false;
    } else if (line[0] != ':') {
      if (line.size() > bound) oversize = true;
      const size_t colon = line.find(':');
      std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
      if (!value.empty() && value[0] == ' ') value.erase(0, 1);
      if (line.substr(0, colon) == "event") type = value;
      if (line.substr(0, colon) == "data") {
        data = data ? *data + "\n" + value : value;
        if (data->size() > bound) oversize = true;
      }
    }
  }
  return events;
}

std::string RandomBody(Random* random) {
  static const std::string kPieces[] = {
      "data",     ":",       ": ",       "data: ",   "data:x",
      "event: ",  "event:e", "id: 1",    "retry: 3", ": hm",
      "\n",       "\n",      "\r",       "\r\n",     "\n\n",
      "\r\n\r\n", "\r\r",    " ",        "\xEF",     "\xBB",
      "\xBF",     "{}",      "\xC3\xA9", "dat",      "abcdefghijklmnopqrstuvwxyz",
      "a"};
  std::string body;
  if (random->Below(4) == 0) body = "\xEF\xBB\xBF";
  for (uint64_t n = random->Below(24); n > 0; --n) {
    body += kPieces[random->Below(std::size(kPieces))];
  }
  return body;
}

TEST_CASE("events are the standard's, however the bytes are cut") {
  Random random(20);
  for (int round = 0; round < 20000; ++round) {
    const std::string body = RandomBody(&random);
    const size_t bound = random.Below(3) == 0 ? 12 : 1000;
    const std::vector<Read> expected = NaiveReadAll(body, bound);
    INFO(body);
    REQUIRE(ReadAll(body, {}, bound) == expected);
    REQUIRE(ReadAll(body, testing::EveryByte(body.size()), bound) == expected);
    if (body.empty()) continue;
    REQUIRE(ReadAll(body, {random.Below(body.size())}, bound) == expected);
  }
}

TEST_CASE("the standard's own examples") {
  using Reads = std::vector<Read>;
  CHECK(ReadAll("data: YHOO\ndata: +2\ndata: 10\n\n", {}, 99) ==
        Reads{{false, "", "YHOO\n+2\n10"}});
  CHECK(
      ReadAll(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third",
              {}, 99) ==
      Reads{{false, "", "first event"}, {false, "", "second event"}, {false, "", " third"}});
  CHECK(ReadAll("data\n\ndata\ndata\n\ndata:", {}, 99) ==
        Reads{{false, "", ""}, {false, "", "\n"}, {false, "", ""}});
  CHECK(ReadAll("event: add\ndata: 1\n\ndata: 2\n\n", {}, 99) ==
        Reads{{false, "add", "1"}, {false, "", "2"}});
}

TEST_CASE("the LF of a CRLF that is cut belongs to the block before") {
  SseReader reader(99);
  auto progress = reader.Read("data: 1\r\n\r");
  CHECK(progress.stop == SseReader::Stop::kBlockEnd);
  CHECK(reader.event().data == "1");
  progress = reader.Read("\ndata: 2\n\n");
  CHECK(progress.stop == SseReader::Stop::kLineFeed);
  CHECK(progress.consumed == 1);
}

TEST_CASE("an event at the bound is read and one above it is passed by") {
  for (size_t size : {size_t{93}, size_t{94}}) {
    const std::string body = "data: " + std::string(size, 'x') + "\n\ndata: y\n\n";
    const std::vector<Read> events = ReadAll(body, testing::EveryByte(body.size()), 99);
    REQUIRE(events.size() == 2);
    CHECK(events[0].oversize == (size == 94));
    CHECK(events[1].data == "y");
  }
}

TEST_CASE("line ends are found at every distance") {
  for (size_t size = 0; size < 40; ++size) {
    CHECK(FindLineEnd(std::string(size, 'x')) == std::string_view::npos);
    for (size_t at = 0; at < size; ++at) {
      for (char end : {'\n', '\r'}) {
        std::string text(size, '\x0B');
        text[at] = end;
        CHECK(FindLineEnd(text) == at);
        text[size - 1] = end;
        CHECK(FindLineEnd(text) == at);
      }
    }
  }
}

}  // namespace
}  // namespace weir::dialects
