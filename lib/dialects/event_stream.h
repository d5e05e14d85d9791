// The binary framing of AWS event streams (application/vnd.amazon.eventstream): read incrementally
// from any cuts and with bounded memory, and written.
//
// A frame: total length, headers length, CRC-32 of those eight bytes; headers; payload; CRC-32 of
// all before it. Numbers are big-endian. A header: name length (1 byte), name, type (1 byte), and
// of a string (type 7) a length (2 bytes) and its bytes. Source: AWS, "Amazon Transcribe streaming:
// event stream encoding", which describes it for all services.

#ifndef WEIR_LIB_DIALECTS_EVENT_STREAM_H_
#define WEIR_LIB_DIALECTS_EVENT_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace weir::dialects {

// CRC-32 as in zlib and PNG (reflected polynomial 0xEDB88320). `crc` is that of what came before.
uint32_t Crc32(std::string_view bytes, uint32_t crc = 0);

class EventStreamReader {
 public:
  // A frame larger than this is passed by unread.
  explicit EventStreamReader(size_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}

  void set_max_frame_bytes(size_t bytes) { max_frame_bytes_ = bytes; }

  struct Progress {
    size_t consumed = 0;
    bool frame_end = false;  // frame() is what ended here
  };
  // Consumes `bytes` up to the end of a frame. Call again with the rest.
  Progress Read(std::string_view bytes);
  // The body ended: a frame that is not whole is an unreadable one.
  void End();

  struct Frame {
    bool present = false;
    // Larger than the bound, a checksum is wrong, or its headers are not headers: the rest is
    // empty.
    bool unreadable = false;
    std::string_view message_type;               // "event", "exception", "error"
    std::string_view event_type;                 // "contentBlockDelta", "chunk", …
    std::string_view exception_type;             // of exceptions
    std::string_view error_code, error_message;  // of errors
    std::string_view payload;
  };
  // A prelude was wrong: there is no telling where the next frame begins, and none is told of.
  bool lost() const { return lost_; }
  // Valid until the next Read or End, and as long as the bytes given to the last Read are.
  const Frame& frame() const { return frame_; }

 private:
  size_t Take(std::string_view bytes);
  Progress StartFrame(std::string_view bytes, size_t consumed);
  void ReadFrame(std::string_view whole);
  bool ReadHeaders(std::string_view headers);
  void Reset();

  size_t max_frame_bytes_;
  std::string held_;        // of the frame under way, what earlier calls brought
  size_t frame_bytes_ = 0;  // its length, once the prelude is known
  size_t skip_bytes_ = 0;   // of a frame that is passed by, what is still to come
  bool lost_ = false;
  bool ended_ = false;  // the frame was told of: the next Read begins another
  Frame frame_;
};

using EventHeader = std::pair<std::string_view, std::string_view>;

// Appends a frame whose headers are all strings, of at most 255 and 65,535 bytes; a longer name or
// value is cut there.
void AppendFrame(std::string* out, std::initializer_list<EventHeader> headers,
                 std::string_view payload);

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_EVENT_STREAM_H_
