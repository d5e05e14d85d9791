// What open streams cost in memory, measured on many of them at once.

#include <malloc.h>

#include "tests/dialects/fixtures.h"
#include "tests/support/catch.h"
#include "tests/support/sanitizers.h"
#include "weir/stream_meter.h"

#if !WEIR_UNDER_SANITIZER

namespace weir::metering {
namespace {

using dialects::Dialect;
using dialects::Operation;
using dialects::testing::Choice;
using dialects::testing::Chunk;

struct Kind {
  std::string name;
  Dialect dialect;
  Operation operation;
  std::string event;
};

std::vector<Kind> Kinds() {
  return {
      {"chat", Dialect::kOpenAi, Operation::kChat,
       "data: {\"id\":\"chatcmpl-AJyTG7K0CYA4Jra0OaVGLmzqeNbZG\",\"object\":"
       "\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4o-2024-08-06\","
       "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":"
       "[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,"
       "\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"abcdef\"}\n\n"},
      {"responses", Dialect::kOpenAi, Operation::kResponses,
       "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","
       "\"sequence_number\":10,\"item_id\":\"msg_"
       "00b9cc7a23d047270068faa0f63798819f83c5348ca838d2\","
       "\"output_index\":0,\"content_index\":0,\"delta\":\" word\",\"logprobs\":[]}\n\n"},
      {"messages", Dialect::kAnthropic, Operation::kChat,
       "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
       "\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}     }\n\n"},
  };
}

// With what malloc adds for itself.
TEST_CASE("a metered stream that waits for its next event holds less than a KiB") {
  constexpr size_t kStreams = 1000;
  for (const Kind& kind : Kinds()) {
    for (size_t piece : {kind.event.size(), size_t{100}}) {
      StreamMeterOptions options;
      options.dialect = kind.dialect;
      options.operation = kind.operation;
      options.tokenizer = tokens::Find("o200k_base");
      std::vector<std::unique_ptr<StreamMeter>> meters(kStreams);
      const size_t before = mallinfo2().uordblks;
      for (auto& meter : meters) {
        meter = StreamMeter::Create(options);
        for (int i = 0; i < 30; ++i) {
          for (size_t at = 0; at < kind.event.size(); at += piece) {
            meter->Feed(std::string_view(kind.event).substr(at, piece), nullptr);
          }
        }
      }
      const size_t each = (mallinfo2().uordblks - before) / kStreams;
      INFO(kind.name << ' ' << piece);
      CHECK(each < 1024);
      CHECK(meters[0]->Read().counted == 30);
    }
  }
}

// A24: no end of anything takes no end of memory.
TEST_CASE("endless streams, lines and words cost bounded memory") {
  const std::string bodies[] = {Kinds()[0].event,
                                std::string(1000, 'x'),
                                ": x\n",
                                "data: x\n",
                                "data: {}\n\n",
                                Chunk(Choice(0, "\"content\":\"" + std::string(1000, 'a') + "\"")),
                                Chunk(Choice(0, "\"content\":\"" + std::string(1000, ' ') + "\"")),
                                "event: x\n"};
  for (const std::string& body : bodies) {
    StreamMeterOptions options;
    options.tokenizer = tokens::Find("o200k_base");
    options.max_event_bytes = size_t{64} << 10;
    auto meter = StreamMeter::Create(options);
    const size_t before = mallinfo2().uordblks;
    size_t most = 0;
    std::string piece;
    while (piece.size() < 60000) piece += body;
    for (size_t total = 0; total < (size_t{16} << 20); total += piece.size()) {
      meter->Feed(piece, nullptr);
      most = std::max<size_t>(most, mallinfo2().uordblks - before);
    }
    INFO(body.substr(0, 20));
    CHECK(most < (size_t{128} << 10));
  }
}

}  // namespace
}  // namespace weir::metering

#endif  // WEIR_UNDER_SANITIZER
