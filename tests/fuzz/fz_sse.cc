// Any bytes as server-sent events. Input: the bound on events (1 byte), cuts (1 byte), the body.
//
// Oracle: the events are the same one-shot, byte by byte and in any cuts; no event is larger than
// the bound; every byte is consumed once.

#include "tests/fuzz/answer_fuzz.h"

namespace {

using weir::dialects::SseReader;
using weir::fuzz::Require;

struct Read {
  bool oversize = false;
  std::string type, data;
  bool operator==(const Read&) const = default;
};

std::vector<Read> ReadAll(std::string_view body, const std::vector<size_t>& cuts, size_t bound) {
  SseReader reader(bound);
  std::vector<Read> events;
  const auto note = [&] {
    const SseReader::Event event = reader.event();
    if (!event.present) return;
    Require(event.data.size() <= bound && event.type.size() <= bound);
    events.push_back({event.oversize, std::string(event.type), std::string(event.data)});
  };
  const auto look = [&](const SseReader::Progress& progress) {
    if (progress.stop == SseReader::Stop::kBlockEnd) note();
  };
  Require(weir::dialects::testing::ReadInPieces(&reader, body, cuts, look, note));
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t bound = data[0] < 128 ? data[0] + size_t{1} : size_t{1} << 20;
  const std::string_view body(reinterpret_cast<const char*>(data + 2), size - 2);
  const std::vector<Read> whole = ReadAll(body, {}, bound);
  Require(ReadAll(body, weir::dialects::testing::EveryByte(body.size()), bound) == whole);
  Require(ReadAll(body, weir::fuzz::CutsOf(data[1], body.size()), bound) == whole);
  weir::fuzz::CheckAnswer(body, {}, data[1]);
  return 0;
}
