#include "dialects/sse.h"

#include <cstdint>
#include <cstring>
#include <utility>

namespace weir::dialects {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// After an event larger than this its buffers are given back: one large event does not make the
// reader large for the rest of a long stream.
constexpr size_t kRetainBytes = size_t{64} << 10;

void Clear(std::string* text) {
  if (text->capacity() > kRetainBytes) {
    std::string().swap(*text);
  } else {
    text->clear();
  }
}

// Whether any byte of `word` is zero, for a word xor-ed with eight copies of a byte sought.
constexpr bool HasZeroByte(uint64_t word) {
  return ((word - 0x0101010101010101u) & ~word & 0x8080808080808080u) != 0;
}

}  // namespace

size_t FindLineEnd(std::string_view bytes) {
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    if (HasZeroByte(word ^ 0x0A0A0A0A0A0A0A0Au) || HasZeroByte(word ^ 0x0D0D0D0D0D0D0D0Du)) break;
  }
  for (; at < bytes.size(); ++at) {
    if (bytes[at] == '\n' || bytes[at] == '\r') return at;
  }
  return std::string_view::npos;
}

SseReader::Progress SseReader::Read(std::string_view bytes) {
  if (finished_) Reset();
  if (bytes.empty()) return {};
  size_t at = 0;
  if (std::exchange(after_cr_, false)) {
    const bool block_end = std::exchange(cr_ended_block_, false);
    if (bytes[0] == '\n') {
      at = 1;
      if (block_end) return {at, Stop::kLineFeed};
    }
  }
  at += SkipByteOrderMark(bytes.substr(at));
  while (at < bytes.size()) {
    const std::string_view rest = bytes.substr(at);
    const size_t length = FindLineEnd(rest);
    if (length == std::string_view::npos) {
      Keep(rest);
      at = bytes.size();
      break;
    }
    at += length + 1;
    if (rest[length] == '\r') {
      if (at == bytes.size()) {
        after_cr_ = true;
      } else if (bytes[at] == '\n') {
        ++at;
      }
    }
    if (TakeLine(rest.substr(0, length))) {
      cr_ended_block_ = after_cr_;
      Finish();
      return {at, Stop::kBlockEnd};
    }
  }
  Spill();
  return {at, Stop::kInside};
}

void SseReader::End() {
  if (finished_) Reset();
  if (!line_.empty() || skipping_line_) TakeLine({});
  Finish();
}

size_t SseReader::SkipByteOrderMark(std::string_view bytes) {
  size_t at = 0;
  while (mark_possible_ && at < bytes.size()) {
    if (bytes[at] != kByteOrderMark[mark_bytes_]) {
      mark_possible_ = false;
      line_.assign(kByteOrderMark.substr(0, mark_bytes_));
      break;
    }
    ++at;
    mark_possible_ = ++mark_bytes_ < kByteOrderMark.size();
  }
  return at;
}

// Keeps a part of a line whose end has not come. Of a comment, and in a block that is passed by,
// it is enough to know that the line is not blank.
void SseReader::Keep(std::string_view part) {
  if (skipping_line_) return;
  const char first = line_.empty() ? part[0] : line_[0];
  if (first != ':' && line_.size() + part.size() > max_event_bytes_) Overflow();
  if (first == ':' || oversize_) {
    Clear(&line_);
    skipping_line_ = true;
  } else {
    line_.append(part);
  }
}

// Takes the line that ends with `tail`. True when it is blank.
bool SseReader::TakeLine(std::string_view tail) {
  if (line_.empty() && !skipping_line_) {
    if (tail.empty()) return true;
    TakeField(tail, /*is_view=*/true);
    return false;
  }
  if (!tail.empty()) Keep(tail);
  if (!std::exchange(skipping_line_, false)) TakeField(line_, /*is_view=*/false);
  Clear(&line_);
  return false;
}

void SseReader::TakeField(std::string_view line, bool is_view) {
  if (line[0] == ':' || oversize_) return;
  if (line.size() > max_event_bytes_) return Overflow();
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) value = line.substr(colon + 1);
  if (!value.empty() && value[0] == ' ') value.remove_prefix(1);
  if (name == "data") {
    AddData(value, is_view);
  } else if (name == "event") {
    type_.assign(value);
  }
}

void SseReader::AddData(std::string_view value, bool is_view) {
  if (!std::exchange(has_data_, true)) {
    data_is_view_ = is_view;
    if (is_view) {
      data_view_ = value;
    } else {
      data_.assign(value);
    }
    return;
  }
  Spill();
  if (data_.size() + 1 + value.size() > max_event_bytes_) return Overflow();
  data_.push_back('\n');
  data_.append(value);
}

void SseReader::Overflow() {
  oversize_ = true;
  data_is_view_ = false;
  Clear(&data_);
  Clear(&type_);
}

void SseReader::Spill() {
  if (std::exchange(data_is_view_, false)) data_.assign(data_view_);
}

void SseReader::Finish() {
  std::string_view data = data_;
  if (data_is_view_) data = data_view_;
  event_ = {.present = has_data_ || oversize_, .oversize = oversize_, .type = type_, .data = data};
  finished_ = true;
}

void SseReader::Reset() {
  Clear(&data_);
  Clear(&type_);
  data_is_view_ = false;
  has_data_ = false;
  oversize_ = false;
  finished_ = false;
  event_ = {};
}

}  // namespace weir::dialects
