// What streams and bodies that never end, or are all brackets, cost in memory: every allocation of
// this program is counted.

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/dialects/fixtures.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"

namespace {

std::atomic<size_t> live_bytes{0};
std::atomic<size_t> peak_bytes{0};
std::atomic<size_t> allocations{0};

void* Allocate(size_t size) {
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  const size_t live = live_bytes += malloc_usable_size(memory);
  peak_bytes = std::max(peak_bytes.load(), live);
  ++allocations;
  return memory;
}

void Release(void* memory) {
  if (memory == nullptr) return;
  live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void operator delete(void* memory) noexcept { Release(memory); }
void operator delete[](void* memory) noexcept { Release(memory); }
void operator delete(void* memory, size_t) noexcept { Release(memory); }
void operator delete[](void* memory, size_t) noexcept { Release(memory); }

namespace weir::dialects {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// The most that was held at once while `work` ran, beyond what was held before.
template <typename Work>
size_t PeakBytes(Work work) {
  const size_t before = live_bytes;
  peak_bytes = before;
  work();
  return peak_bytes - before;
}

TEST_CASE("an endless line, comment, event or stream costs bounded memory") {
  const std::string kinds[] = {
      "xxxxxxxxxxxxxxxx",
      ": xxxxxxxxxxxxxx",
      "data: x\n",
      "data: \r",
      ": x\n",
      "event: abcdefgh\n",
      "data:\n\n",
      testing::Chunk(testing::Choice(0, "\"content\":\"a\"")),
  };
  for (const std::string& kind : kinds) {
    for (bool strip : {false, true}) {
      INFO(kind << " strip " << strip);
      std::string piece;
      while (piece.size() < 60000) piece += kind;
      const size_t peak = PeakBytes([&] {
        auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
        reader->set_strip_usage(strip);
        std::string relay;
        for (size_t total = 0; total < 24 * kMiB; total += piece.size()) {
          relay.clear();
          reader->Feed(total == 0 ? "data: " + piece : piece, &relay);
          reader->TakeDeltas();
        }
        reader->End(&relay);
      });
      // Twice the bound for a growing buffer and its copy, in each of two buffers.
      CHECK(peak < 9 * kMiB);
    }
  }
}

TEST_CASE("one large event does not stay in memory") {
  const std::string large = "data: {\"x\":\"" + std::string(kMaxEventBytes - 100, 'x') + "\"}\n\n";
  auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
  std::string relay;
  const size_t before = live_bytes;
  for (size_t at = 0; at < large.size(); at += 1000) {
    relay.clear();
    reader->Feed(std::string_view(large).substr(at, 1000), &relay);
  }
  CHECK(reader->unreadable_events() == 0);
  reader->Feed(": \n\n", &relay);
  CHECK(live_bytes - before < kMiB / 2);
}

TEST_CASE("what a body costs is within a small multiple of its size") {
  for (const char* unit : {"0,", "[],", "{},", "\"\",", "{\"a\":0},"}) {
    std::string body = "{\"messages\":[";
    while (body.size() < kMiB) body += unit;
    body += "0]}";
    INFO(unit);
    bool read = true;
    const size_t request_peak =
        PeakBytes([&] { read = ReadRequest(Dialect::kOpenAi, Operation::kChat, "", body).ok(); });
    CHECK_FALSE(read);
    CHECK(request_peak < 50 * body.size());
    std::string event = "data: " + body.substr(0, 13);
    while (event.size() < kMaxEventBytes - 10) event += unit;
    event += "0]}\n\n";
    auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
    std::string relay;
    CHECK(PeakBytes([&] { reader->Feed(event, &relay); }) < 50 * event.size());
    CHECK(reader->unreadable_events() == 0);
  }
}

// What a stream holds while it waits for its next event: the reader, its template, its buffers.
TEST_CASE("a stream that waits holds less than a KiB") {
  const std::string chunk = testing::Chunk(testing::Choice(0, "\"content\":\"word\""));
  for (size_t piece : {chunk.size(), size_t{50}, chunk.size() + 1}) {
    const size_t before = live_bytes;
    auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
    // Also with what ending it early needs.
    if (piece > chunk.size()) reader->set_hold_events(true);
    for (int i = 0; i < 100; ++i) {
      for (size_t at = 0; at < chunk.size(); at += piece) {
        reader->Feed(std::string_view(chunk).substr(at, piece), nullptr);
      }
      reader->TakeDeltas();
    }
    INFO(piece);
    CHECK(live_bytes - before < 1024);
  }
}

class NullSink final : public TextSink {
 public:
  void Text(const TextPiece& piece) override { bytes += piece.text.size(); }
  size_t bytes = 0;
};

TEST_CASE("a text that is too large to be kept does not stay in memory") {
  const std::string chunk =
      testing::Chunk(testing::Choice(0, "\"content\":\"" + std::string(1000, 'x') + "\""));
  const size_t before = live_bytes;
  auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
  NullSink sink;
  reader->set_text_sink(&sink);
  reader->set_keep(kMiB);
  for (int i = 0; i < 1000; ++i) reader->Feed(chunk, nullptr);
  CHECK(live_bytes - before > 1000000);
  CHECK(live_bytes - before < 2 * kMiB + 4096);
  for (int i = 0; i < 100; ++i) reader->Feed(chunk, nullptr);
  CHECK(live_bytes - before < 4096);
}

TEST_CASE("an event like the one before costs no allocation") {
  const std::string chunk = testing::Chunk(testing::Choice(0, "\"content\":\"a \\n word\""));
  auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
  NullSink sink;
  reader->set_text_sink(&sink);
  reader->Feed(chunk, nullptr);
  const size_t before = allocations;
  for (int i = 0; i < 10; ++i) reader->Feed(chunk, nullptr);
  CHECK(allocations == before);
  CHECK(sink.bytes == 11 * 8);
}

}  // namespace
}  // namespace weir::dialects
