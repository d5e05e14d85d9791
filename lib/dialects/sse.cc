#include "dialects/sse.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

namespace weir::dialects {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

#if !defined(__SSE2__)
// Whether any byte of `word` is zero, for a word xor-ed with eight copies of a byte sought.
constexpr bool HasZeroByte(uint64_t word) {
  return ((word - 0x0101010101010101u) & ~word & 0x8080808080808080u) != 0;
}
#endif

}  // namespace

size_t FindLineEnd(std::string_view bytes) {
  size_t at = 0;
#if defined(__SSE2__)
  const __m128i line_feed = _mm_set1_epi8('\n');
  const __m128i carriage_return = _mm_set1_epi8('\r');
  for (; at + 16 <= bytes.size(); at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data() + at));
    const __m128i ends =
        _mm_or_si128(_mm_cmpeq_epi8(block, line_feed), _mm_cmpeq_epi8(block, carriage_return));
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(ends));
    if (mask != 0) return at + static_cast<size_t>(std::countr_zero(mask));
  }
#else
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    if (HasZeroByte(word ^ 0x0A0A0A0A0A0A0A0Au) || HasZeroByte(word ^ 0x0D0D0D0D0D0D0D0Du)) break;
  }
#endif
  for (; at < bytes.size(); ++at) {
    if (bytes[at] == '\n' || bytes[at] == '\r') return at;
  }
  return std::string_view::npos;
}

SseReader::Progress SseReader::Read(std::string_view bytes) {
  if (finished_) Release();
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
      finished_ = true;
      return {at, Stop::kBlockEnd};
    }
  }
  Spill();
  return {at, Stop::kInside};
}

void SseReader::End() {
  if (finished_) Release();
  if (skipping_line_ || (held_ != nullptr && !held_->line.empty())) TakeLine({});
  finished_ = true;
}

SseReader::Event SseReader::event() const {
  Event event;
  if (!finished_) return event;
  event.present = oversize_ || data_ != Place::kNowhere;
  event.oversize = oversize_;
  if (type_ == Place::kView) event.type = type_view_;
  if (type_ == Place::kHeld) event.type = held_->type;
  if (data_ == Place::kView) event.data = data_view_;
  if (data_ == Place::kHeld) event.data = held_->data;
  return event;
}

SseReader::Held& SseReader::held() {
  if (held_ == nullptr) held_ = std::make_unique<Held>();
  return *held_;
}

size_t SseReader::SkipByteOrderMark(std::string_view bytes) {
  size_t at = 0;
  while (mark_possible_ && at < bytes.size()) {
    if (bytes[at] != kByteOrderMark[mark_bytes_]) {
      mark_possible_ = false;
      if (mark_bytes_ != 0) held().line.assign(kByteOrderMark.substr(0, mark_bytes_));
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
  std::string& line = held().line;
  const char first = line.empty() ? part[0] : line[0];
  if (first != ':' && line.size() + part.size() > max_event_bytes_) Overflow();
  if (first == ':' || oversize_) {
    std::string().swap(line);
    skipping_line_ = true;
  } else {
    line.append(part);
  }
}

// Takes the line that ends with `tail`. True when it is blank.
bool SseReader::TakeLine(std::string_view tail) {
  if (!skipping_line_ && (held_ == nullptr || held_->line.empty())) {
    if (tail.empty()) return true;
    TakeField(tail, /*is_view=*/true);
    return false;
  }
  if (!tail.empty()) Keep(tail);
  if (!std::exchange(skipping_line_, false)) TakeField(held_->line, /*is_view=*/false);
  if (held_ != nullptr) held_->line.clear();
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
    type_ = is_view ? Place::kView : Place::kHeld;
    if (is_view) {
      type_view_ = value;
    } else {
      held().type.assign(value);
    }
  }
}

void SseReader::AddData(std::string_view value, bool is_view) {
  if (data_ == Place::kNowhere) {
    data_ = is_view ? Place::kView : Place::kHeld;
    if (is_view) {
      data_view_ = value;
    } else {
      held().data.assign(value);
    }
    return;
  }
  Spill();
  std::string& data = held().data;
  if (data.size() + 1 + value.size() > max_event_bytes_) return Overflow();
  data.push_back('\n');
  data.append(value);
}

void SseReader::Overflow() {
  oversize_ = true;
  data_ = Place::kNowhere;
  type_ = Place::kNowhere;
  if (held_ == nullptr) return;
  std::string().swap(held_->data);
  std::string().swap(held_->type);
}

// The caller's bytes will be gone.
void SseReader::Spill() {
  if (data_ == Place::kView) held().data.assign(data_view_);
  if (type_ == Place::kView) held().type.assign(type_view_);
  if (data_ == Place::kView) data_ = Place::kHeld;
  if (type_ == Place::kView) type_ = Place::kHeld;
}

void SseReader::Release() {
  held_.reset();
  data_ = Place::kNowhere;
  type_ = Place::kNowhere;
  oversize_ = false;
  finished_ = false;
}

}  // namespace weir::dialects
