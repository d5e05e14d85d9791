#include "dialects/event_stream.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::dialects {
namespace {

constexpr size_t kPreludeBytes = 12;
constexpr size_t kOverheadBytes = 16;  // prelude and the last checksum
constexpr uint8_t kString = 7;

// After a frame larger than this its buffer is given back.
constexpr size_t kRetainBytes = size_t{64} << 10;

// Slicing by eight: table[k][b] is the checksum of byte b followed by k zero bytes.
using CrcTables = std::array<std::array<uint32_t, 256>, 8>;

constexpr CrcTables MakeCrcTables() {
  CrcTables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
    tables[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (size_t k = 1; k < 8; ++k) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr CrcTables kCrc = MakeCrcTables();

uint8_t ByteAt(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

uint32_t BigEndian(std::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | ByteAt(bytes, at + i);
  return value;
}

void AppendBigEndian(std::string* out, size_t value, size_t size) {
  for (size_t i = size; i-- > 0;) out->push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

// The bytes that a header's value takes after its type; npos when they do not fit.
size_t ValueBytes(std::string_view rest, uint8_t type) {
  constexpr size_t kFixed[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
  if (type >= std::size(kFixed)) return std::string_view::npos;
  size_t size = kFixed[type];
  if (type == kString || type == kString - 1) {
    if (rest.size() < 2) return std::string_view::npos;
    size = 2 + BigEndian(rest, 0, 2);
  }
  return size <= rest.size() ? size : std::string_view::npos;
}

}  // namespace

uint32_t Crc32(std::string_view bytes, uint32_t crc) {
  crc = ~crc;
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint32_t low = crc;
    for (size_t i = 0; i < 4; ++i) low ^= uint32_t{ByteAt(bytes, at + i)} << (8 * i);
    crc = kCrc[7][low & 0xFF] ^ kCrc[6][low >> 8 & 0xFF] ^ kCrc[5][low >> 16 & 0xFF] ^
          kCrc[4][low >> 24];
    for (size_t i = 4; i < 8; ++i) crc ^= kCrc[7 - i][ByteAt(bytes, at + i)];
  }
  for (; at < bytes.size(); ++at) crc = crc >> 8 ^ kCrc[0][(crc ^ ByteAt(bytes, at)) & 0xFF];
  return ~crc;
}

EventStreamReader::Progress EventStreamReader::Read(std::string_view bytes) {
  if (std::exchange(ended_, false)) Reset();
  if (lost_) return {bytes.size(), false};
  if (bytes.empty()) return {};
  size_t consumed = 0;
  if (frame_bytes_ == 0) {
    // The prelude may come in parts.
    if (held_.empty() && bytes.size() >= kPreludeBytes) return StartFrame(bytes, 0);
    consumed = std::min(bytes.size(), kPreludeBytes - held_.size());
    held_.append(bytes.substr(0, consumed));
    if (held_.size() < kPreludeBytes) return {consumed, false};
    return StartFrame(bytes, consumed);
  }
  return {consumed + Take(bytes), ended_};
}

// `consumed` of `bytes` are in held_ already, which then is the whole prelude; or 0 and held_ is
// empty.
EventStreamReader::Progress EventStreamReader::StartFrame(std::string_view bytes, size_t consumed) {
  const std::string_view prelude = consumed == 0 ? bytes : std::string_view(held_);
  const size_t total = BigEndian(prelude, 0, 4);
  const size_t headers = BigEndian(prelude, 4, 4);
  if (Crc32(prelude.substr(0, 8)) != BigEndian(prelude, 8, 4) || total < kOverheadBytes ||
      headers > total - kOverheadBytes) {
    lost_ = true;
    ended_ = true;
    frame_ = {};
    frame_.present = true;
    frame_.unreadable = true;
    return {bytes.size(), true};
  }
  frame_bytes_ = total;
  if (total > max_frame_bytes_) {
    skip_bytes_ = total - held_.size();
    std::string().swap(held_);
  } else if (consumed == 0 && bytes.size() >= total) {
    ReadFrame(bytes.substr(0, total));  // all of it is here: nothing is copied
    return {total, true};
  }
  return {consumed + Take(bytes.substr(consumed)), ended_};
}

// Takes what `bytes` holds of the frame under way.
size_t EventStreamReader::Take(std::string_view bytes) {
  if (skip_bytes_ != 0) {
    const size_t passed = std::min(skip_bytes_, bytes.size());
    skip_bytes_ -= passed;
    if (skip_bytes_ == 0) {
      frame_ = {};
      frame_.present = true;
      frame_.unreadable = true;
      ended_ = true;
    }
    return passed;
  }
  const size_t taken = std::min(bytes.size(), frame_bytes_ - held_.size());
  held_.append(bytes.substr(0, taken));
  if (held_.size() == frame_bytes_) ReadFrame(held_);
  return taken;
}

void EventStreamReader::ReadFrame(std::string_view whole) {
  frame_ = {};
  frame_.present = true;
  ended_ = true;
  const size_t body = whole.size() - 4;
  const size_t headers = BigEndian(whole, 4, 4);
  if (Crc32(whole.substr(0, body)) != BigEndian(whole, body, 4) ||
      !ReadHeaders(whole.substr(kPreludeBytes, headers))) {
    frame_ = {};
    frame_.present = true;
    frame_.unreadable = true;
    return;
  }
  frame_.payload = whole.substr(kPreludeBytes + headers, body - kPreludeBytes - headers);
}

bool EventStreamReader::ReadHeaders(std::string_view headers) {
  while (!headers.empty()) {
    const size_t name_bytes = ByteAt(headers, 0);
    if (headers.size() < 2 + name_bytes) return false;
    const std::string_view name = headers.substr(1, name_bytes);
    const uint8_t type = ByteAt(headers, 1 + name_bytes);
    headers.remove_prefix(2 + name_bytes);
    const size_t size = ValueBytes(headers, type);
    if (size == std::string_view::npos) return false;
    if (type == kString) {
      const std::string_view value = headers.substr(2, size - 2);
      if (name == ":message-type") {
        frame_.message_type = value;
      } else if (name == ":event-type") {
        frame_.event_type = value;
      } else if (name == ":exception-type") {
        frame_.exception_type = value;
      } else if (name == ":error-code") {
        frame_.error_code = value;
      } else if (name == ":error-message") {
        frame_.error_message = value;
      }
    }
    headers.remove_prefix(size);
  }
  return true;
}

void EventStreamReader::End() {
  if (std::exchange(ended_, false)) Reset();
  if (held_.empty() && frame_bytes_ == 0) return;
  Reset();
  frame_.present = true;
  frame_.unreadable = true;
  ended_ = true;
}

void EventStreamReader::Reset() {
  if (held_.capacity() > kRetainBytes) {
    std::string().swap(held_);
  } else {
    held_.clear();
  }
  frame_bytes_ = 0;
  skip_bytes_ = 0;
  frame_ = {};
}

void AppendFrame(std::string* out, std::initializer_list<EventHeader> headers,
                 std::string_view payload) {
  std::string encoded;
  for (const auto& [whole_name, whole_value] : headers) {
    const std::string_view name = whole_name.substr(0, 0xFF);
    const std::string_view value = whole_value.substr(0, 0xFFFF);
    encoded.push_back(static_cast<char>(name.size()));
    encoded.append(name);
    encoded.push_back(static_cast<char>(kString));
    AppendBigEndian(&encoded, value.size(), 2);
    encoded.append(value);
  }
  std::string frame;
  frame.reserve(kOverheadBytes + encoded.size() + payload.size());
  AppendBigEndian(&frame, kOverheadBytes + encoded.size() + payload.size(), 4);
  AppendBigEndian(&frame, encoded.size(), 4);
  AppendBigEndian(&frame, Crc32(frame), 4);
  frame.append(encoded).append(payload);
  AppendBigEndian(&frame, Crc32(frame), 4);
  out->append(frame);
}

}  // namespace weir::dialects
