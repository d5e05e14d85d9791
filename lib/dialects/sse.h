// Server-sent events: the framing alone, as the WHATWG HTML standard interprets an event stream,
// read incrementally from any cuts and with bounded memory.
//
// Line ends may be LF, CR or CRLF, mixed; a leading BOM is skipped; comments, `id`, `retry` and
// unknown fields are passed over. One departure: an event that the end of the body leaves without
// its blank line is read, because providers omit it and clients read it.

#ifndef WEIR_LIB_DIALECTS_SSE_H_
#define WEIR_LIB_DIALECTS_SSE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::dialects {

// The first CR or LF in `bytes`; npos when there is none.
size_t FindLineEnd(std::string_view bytes);

class SseReader {
 public:
  // An event with a line, or data, larger than this is passed by unread.
  explicit SseReader(size_t max_event_bytes) : max_event_bytes_(max_event_bytes) {}

  size_t max_event_bytes() const { return max_event_bytes_; }
  void set_max_event_bytes(size_t bytes) { max_event_bytes_ = bytes; }

  // Where a Read stopped.
  enum class Stop {
    kInside,    // all bytes are consumed; a block may be unfinished
    kBlockEnd,  // right after a blank line: event() is what the block said
    kLineFeed,  // right after the LF of a block's end whose CR an earlier call consumed
  };
  struct Progress {
    size_t consumed = 0;
    Stop stop = Stop::kInside;
  };
  // Consumes `bytes` up to the first stop. Call again with the rest.
  Progress Read(std::string_view bytes);
  // A block ended with a CR whose LF may still come.
  bool awaits_line_feed() const { return after_cr_ && cr_ended_block_; }
  // The body ended: event() is what the unfinished block said.
  void End();

  struct Event {
    bool present = false;   // a block without data is no event; one with empty data is
    bool oversize = false;  // passed by: data and type are empty
    std::string_view type;  // empty means "message"
    std::string_view data;  // the data lines, joined by LF
  };
  // Valid until the next Read or End, and as long as the bytes given to the last Read are.
  Event event() const;
  // Lets go of what the block said, and of the memory that held it.
  void Release();

 private:
  size_t SkipByteOrderMark(std::string_view bytes);
  void Keep(std::string_view part);
  bool TakeLine(std::string_view tail);
  void TakeField(std::string_view line, bool is_view);
  void AddData(std::string_view value, bool is_view);
  void Overflow();
  void Spill();

  // What was kept of the block because the bytes it came in are gone. Null at most times: a stream
  // that waits between two events holds none of it.
  struct Held {
    std::string line;  // the current line, as far as it has come
    std::string data, type;
  };
  Held& held();

  // Where the block's data, or type, is.
  enum class Place : uint8_t { kNowhere, kView, kHeld };

  size_t max_event_bytes_;
  std::unique_ptr<Held> held_;
  std::string_view data_view_, type_view_;  // into the caller's bytes, while those are there
  Place data_ = Place::kNowhere;
  Place type_ = Place::kNowhere;
  bool oversize_ = false;
  bool finished_ = false;  // event() is what the block said

  // The current line is not blank, and not wanted.
  bool skipping_line_ = false;
  bool after_cr_ = false;        // an LF that comes now belongs to the line before
  bool cr_ended_block_ = false;  // and that line was a block's end
  bool mark_possible_ = true;    // at the start of the body, within a byte order mark
  uint8_t mark_bytes_ = 0;
};

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_SSE_H_
