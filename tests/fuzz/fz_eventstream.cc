// Any bytes as an AWS event stream. Input: how the frames are made (1 byte), cuts (1 byte), bytes.
// An even first byte takes the bytes as they are; an odd one makes a frame of each line, so that
// what lies behind the checksums is reached, and then spoils one byte if it is above 127.
//
// Oracle: the frames are the same one-shot, byte by byte and in any cuts, none is larger than the
// bound, and what is told of them holds its relations.

#include "dialects/event_stream.h"

#include "tests/fuzz/answer_fuzz.h"

namespace {

using weir::dialects::EventStreamReader;
using weir::fuzz::Require;

constexpr size_t kBound = 4096;

struct Read {
  bool unreadable = false;
  std::string headers, payload;
  bool operator==(const Read&) const = default;
};

std::vector<Read> ReadAll(std::string_view body, const std::vector<size_t>& cuts) {
  EventStreamReader reader(kBound);
  std::vector<Read> frames;
  const auto note = [&] {
    const EventStreamReader::Frame& frame = reader.frame();
    if (!frame.present) return;
    Require(frame.payload.size() <= kBound);
    frames.push_back(
        {frame.unreadable,
         weir::Concat({frame.message_type, "|", frame.event_type, "|", frame.exception_type, "|",
                       frame.error_code, "|", frame.error_message}),
         std::string(frame.payload)});
  };
  const auto look = [&](const EventStreamReader::Progress& progress) {
    if (progress.frame_end) note();
  };
  Require(weir::dialects::testing::ReadInPieces(&reader, body, cuts, look, note));
  return frames;
}

// Each line: the event's type up to the first blank, then its payload.
std::string FramesOf(std::string_view lines) {
  std::string body;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    const size_t blank = std::min(line.find(' '), line.size());
    weir::dialects::AppendFrame(
        &body, {{":event-type", line.substr(0, blank)}, {":message-type", "event"}},
        line.substr(std::min(blank + 1, line.size())));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string body(data + 2, data + size);
  if ((data[0] & 1) != 0) body = FramesOf(body);
  if ((data[0] & 1) != 0 && data[0] > 127 && !body.empty()) body[data[1] % body.size()] ^= 0x10;
  const std::vector<Read> whole = ReadAll(body, {});
  Require(ReadAll(body, weir::dialects::testing::EveryByte(body.size())) == whole);
  Require(ReadAll(body, weir::fuzz::CutsOf(data[1], body.size())) == whole);
  weir::fuzz::CheckAnswer(body,
                          {weir::dialects::Dialect::kBedrock, weir::dialects::Operation::kChat,
                           weir::dialects::BodyKind::kEventStream},
                          data[1]);
  return 0;
}
