#include "dialects/answer_template.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "base/text.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

constexpr size_t kNone = std::string_view::npos;

// Members of an event that no reader looks at, and that providers change from event to event.
constexpr std::string_view kIgnored[] = {
    "id",      "object",      "created", "service_tier", "system_fingerprint", "sequence_number",
    "item_id", "obfuscation", "p"};

struct StringScan {
  size_t end = kNone;  // of the closing quote; kNone when there is none or a control byte before it
  bool escapes = false;
  bool ascii = true;
};

// From the byte after the opening quote up to the closing one, or to the first escape.
StringScan ScanPlain(std::string_view data, size_t at) {
  StringScan scan;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1F);
  for (; at + 16 <= data.size(); at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data.data() + at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, last_control), block);
    const __m128i stops = _mm_or_si128(
        control, _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)));
    const auto stop = static_cast<uint32_t>(_mm_movemask_epi8(stops));
    auto high = static_cast<uint32_t>(_mm_movemask_epi8(block));
    if (stop != 0) {
      const auto first = static_cast<uint32_t>(std::countr_zero(stop));
      high &= (uint32_t{1} << first) - 1;
      scan.ascii = scan.ascii && high == 0;
      at += first;
      if (data[at] == '"') scan.end = at;
      if (data[at] == '\\') {
        scan.end = at;
        scan.escapes = true;
      }
      return scan;
    }
    scan.ascii = scan.ascii && high == 0;
  }
#endif
  for (; at < data.size(); ++at) {
    const auto byte = static_cast<uint8_t>(data[at]);
    if (byte < 0x20) return scan;
    if (byte == '"' || byte == '\\') {
      scan.end = at;
      scan.escapes = byte == '\\';
      return scan;
    }
    scan.ascii = scan.ascii && byte < 0x80;
  }
  return scan;
}

// Four hexadecimal digits; kNone when they are not.
uint32_t HexDigits(std::string_view data, size_t at) {
  if (at + 4 > data.size()) return UINT32_MAX;
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    const char digit = data[at + i];
    const char lower = static_cast<char>(digit | 0x20);
    value <<= 4;
    if (digit >= '0' && digit <= '9') {
      value |= static_cast<uint32_t>(digit - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value |= static_cast<uint32_t>(lower - 'a' + 10);
    } else {
      return UINT32_MAX;
    }
  }
  return value;
}

struct Escape {
  size_t size = 0;  // 0: one that is left to the parser
  uint32_t character = 0;
};

// The escape whose backslash is at data[at].
Escape ReadEscape(std::string_view data, size_t at) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kCharacters = "\"\\/\b\f\n\r\t";
  if (at + 1 >= data.size()) return {};
  const size_t simple = kNames.find(data[at + 1]);
  if (simple != kNone) return {2, static_cast<uint32_t>(kCharacters[simple])};
  if (data[at + 1] != 'u') return {};
  const uint32_t unit = HexDigits(data, at + 2);
  if (unit < 0xD800 || (unit > 0xDFFF && unit <= 0xFFFF)) return {6, unit};
  const bool pair = unit <= 0xDBFF && data.substr(std::min(at + 6, data.size()), 2) == "\\u";
  const uint32_t low = pair ? HexDigits(data, at + 8) : UINT32_MAX;
  if (low < 0xDC00 || low > 0xDFFF) return {};
  return {12, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)};
}

// The whole string that begins at data[at], escapes and all.
StringScan ScanString(std::string_view data, size_t at) {
  StringScan whole;
  const size_t begin = at;
  for (;;) {
    const StringScan part = ScanPlain(data, at);
    whole.ascii = whole.ascii && part.ascii;
    if (part.end == kNone) return whole;
    if (!part.escapes) {
      const bool valid =
          whole.ascii || FindInvalidUtf8(data.substr(begin, part.end - begin)) == kNone;
      if (valid) whole.end = part.end;
      return whole;
    }
    whole.escapes = true;
    const Escape escape = ReadEscape(data, part.end);
    if (escape.size == 0) return whole;
    at = part.end + escape.size;
  }
}

// The end of the integer that begins at data[at], of at most `limit` digits; kNone when it is not
// one as JSON writes it.
size_t ScanInteger(std::string_view data, size_t at, size_t limit) {
  size_t end = at;
  while (end < data.size() && data[end] >= '0' && data[end] <= '9') ++end;
  const size_t digits = end - at;
  if (digits == 0 || digits > limit || (digits > 1 && data[at] == '0')) return kNone;
  return end;
}

size_t AppendUtf8(char* out, uint32_t character) {
  const auto put = [&](size_t at, uint32_t byte) { out[at] = static_cast<char>(byte); };
  if (character < 0x80) {
    put(0, character);
    return 1;
  }
  if (character < 0x800) {
    put(0, 0xC0 | character >> 6);
    put(1, 0x80 | (character & 0x3F));
    return 2;
  }
  if (character < 0x10000) {
    put(0, 0xE0 | character >> 12);
    put(1, 0x80 | (character >> 6 & 0x3F));
    put(2, 0x80 | (character & 0x3F));
    return 3;
  }
  put(0, 0xF0 | character >> 18);
  put(1, 0x80 | (character >> 12 & 0x3F));
  put(2, 0x80 | (character >> 6 & 0x3F));
  put(3, 0x80 | (character & 0x3F));
  return 4;
}

// Tells a string that ScanString has found well-formed, decoded; in several pieces if it is long.
void TellDecoded(std::string_view escaped, TextPiece piece, TextSink* sink) {
  std::array<char, 1024> decoded;
  size_t size = 0;
  const auto flush = [&] {
    if (size == 0) return;
    piece.text = {decoded.data(), size};
    sink->Text(piece);
    size = 0;
  };
  size_t at = 0;
  while (at < escaped.size()) {
    const size_t run_end = std::min(escaped.find('\\', at), escaped.size());
    const std::string_view run = escaped.substr(at, run_end - at);
    if (size + run.size() + 4 > decoded.size()) flush();
    if (run.size() + 4 > decoded.size()) {
      piece.text = run;
      sink->Text(piece);
    } else if (!run.empty()) {
      std::memcpy(decoded.data() + size, run.data(), run.size());
      size += run.size();
    }
    at = run_end;
    if (at == escaped.size()) break;
    const Escape escape = ReadEscape(escaped, at);
    size += AppendUtf8(decoded.data() + size, escape.character);
    at += escape.size;
  }
  flush();
}

bool IsBlank(char byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }

// Fewer digits than would make a number too large for anybody.
constexpr size_t kIndexDigits = 3;
constexpr size_t kNumberDigits = 18;

}  // namespace

bool IsPassedOver(std::string_view key) {
  return std::find(std::begin(kIgnored), std::end(kIgnored), key) != std::end(kIgnored);
}

struct AnswerTemplate::Found {
  std::string_view text;  // as it is written
  bool escapes = false;
  uint32_t choice = 0;
};

struct AnswerTemplate::Range {
  size_t begin = 0, end = 0;
  HoleKind kind = HoleKind::kBlanks;
};

// In ascending order. They do not overlap: the text and the index lie inside other members than
// those that are ignored.
size_t AnswerTemplate::FindHoles(const json::Document& document, const Answer::Event& told,
                                 std::array<Range, kMaxHoles>* holes) {
  size_t count = 0;
  const auto add = [&](Value value, HoleKind kind) {
    if (count == kMaxHoles) return;
    const size_t quote = value.Is(Type::kString) ? 1 : 0;
    (*holes)[count++] = {value.begin_offset() + quote, value.end_offset() - quote, kind};
  };
  const auto is_integer = [](Value value, size_t digits) {
    return value.Is(Type::kNumber) && ScanInteger(value.text(), 0, digits) == value.text().size();
  };
  add(told.text, HoleKind::kText);
  if (told.choices == 1 && is_integer(told.index, kIndexDigits)) {
    add(told.index, HoleKind::kIndex);
  }
  const std::string_view data = document.source();
  const size_t bracket = data.rfind('}');  // the root is an object, so there is one
  size_t blanks = bracket;
  while (IsBlank(data[blanks - 1])) --blanks;
  (*holes)[count++] = {blanks, bracket, HoleKind::kBlanks};
  for (Value member : document.root().members()) {
    if (!IsPassedOver(member.key())) continue;
    if (member.Is(Type::kString)) add(member, HoleKind::kString);
    if (is_integer(member, kNumberDigits)) add(member, HoleKind::kNumber);
  }
  std::sort(holes->begin(), holes->begin() + count,
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  return count;
}

void AnswerTemplate::Learn(std::string_view name, const json::Document& document,
                           const Answer::Event& told) {
  const std::string_view data = document.source();
  if (told.pieces != 1 || told.more || !told.text || name.size() + data.size() > kMaxBytes) return;
  std::array<Range, kMaxHoles> ranges;
  hole_count_ = static_cast<uint8_t>(FindHoles(document, told, &ranges));
  std::string bytes(name);
  size_t from = 0;
  for (size_t i = 0; i < hole_count_; ++i) {
    bytes.append(data.substr(from, ranges[i].begin - from));
    holes_[i] = {static_cast<uint16_t>(ranges[i].begin - from), ranges[i].kind};
    from = ranges[i].end;
  }
  bytes.append(data.substr(from));
  bytes_ = std::make_unique<char[]>(bytes.size());
  std::memcpy(bytes_.get(), bytes.data(), bytes.size());
  size_ = static_cast<uint16_t>(bytes.size());
  name_bytes_ = static_cast<uint16_t>(name.size());
  kind_ = told.piece.kind;
  choice_ = told.piece.choice;
  part_ = told.piece.part;
}

bool AnswerTemplate::Fit(std::string_view data, Found* found) const {
  std::string_view model(bytes_.get() + name_bytes_, size_ - name_bytes_);
  size_t at = 0;
  for (size_t i = 0; i < hole_count_; ++i) {
    const Hole& hole = holes_[i];
    const size_t size = hole.bytes_before;
    if (data.size() - at < size || std::memcmp(data.data() + at, model.data(), size) != 0) {
      return false;
    }
    at += size;
    model.remove_prefix(size);
    size_t end = at;
    if (hole.kind == HoleKind::kText || hole.kind == HoleKind::kString) {
      const StringScan scan = ScanString(data, at);
      end = scan.end;
      if (end == kNone) return false;
      if (hole.kind == HoleKind::kText) {
        found->text = data.substr(at, end - at);
        found->escapes = scan.escapes;
      }
    } else if (hole.kind == HoleKind::kBlanks) {
      while (end < data.size() && IsBlank(data[end])) ++end;
    } else {
      const bool index = hole.kind == HoleKind::kIndex;
      if (index) found->choice = 0;
      end = ScanInteger(data, at, index ? kIndexDigits : kNumberDigits);
      if (end == kNone) return false;
      for (size_t digit = at; index && digit < end; ++digit) {
        found->choice = 10 * found->choice + static_cast<uint32_t>(data[digit] - '0');
      }
      // What follows in the template is no part of a number, so it ends here.
    }
    at = end;
  }
  return data.substr(at) == model;
}

bool AnswerTemplate::Read(std::string_view name, std::string_view data, Answer* answer) const {
  if (hole_count_ == 0 || std::string_view(bytes_.get(), name_bytes_) != name) return false;
  Found found;
  found.choice = choice_;
  if (!Fit(data, &found)) return false;
  if (found.text.empty()) return false;  // then readers may turn to another member
  const TextPiece piece = {found.choice, kind_, part_, found.text};
  answer->SeeChoice(found.choice);
  if (found.escapes) {
    TellDecoded(found.text, piece, answer->sink());
  } else {
    answer->sink()->Text(piece);
  }
  return true;
}

}  // namespace weir::dialects
