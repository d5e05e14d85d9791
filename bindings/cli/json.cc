#include "json.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "options.h"

namespace weir::cli {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The value of a hexadecimal digit, -1 if it is none.
int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

class Scanner {
 public:
  Scanner(std::string_view source, JsonFault* fault) : source_(source), fault_(fault) {}

  bool Scan(char bracket, std::vector<JsonMember>* members) {
    const bool object = bracket == '{';
    SkipBlanks();
    if (!Take(bracket)) return Fail(object ? "expected an object" : "expected an array");
    SkipBlanks();
    const char close = object ? '}' : ']';
    if (!Take(close)) {
      do {
        JsonMember member;
        SkipBlanks();
        if (object && !Key(&member.key)) return false;
        SkipBlanks();
        member.begin = at_;
        if (!Value()) return false;
        member.end = at_;
        members->push_back(std::move(member));
        SkipBlanks();
      } while (Take(','));
      if (!Take(close)) return Fail(object ? "expected ',' or '}'" : "expected ',' or ']'");
    }
    SkipBlanks();
    return at_ == source_.size() || Fail("more than one value");
  }

 private:
  bool Fail(std::string_view why) {
    *fault_ = {at_, why};
    return false;
  }
  char Peek() const { return at_ < source_.size() ? source_[at_] : '\0'; }
  bool Take(char c) {
    if (Peek() != c || at_ == source_.size()) return false;
    ++at_;
    return true;
  }
  void SkipBlanks() {
    while (at_ < source_.size() && std::strchr(" \t\r\n", source_[at_]) != nullptr &&
           source_[at_] != '\0') {
      ++at_;
    }
  }

  bool Key(std::string* key) {
    const size_t begin = at_;
    if (Peek() != '"') return Fail("expected a key in quotes");
    if (!String()) return false;
    if (key != nullptr) *key = JsonText(source_.substr(begin, at_ - begin));
    SkipBlanks();
    return Take(':') || Fail("expected ':'");
  }

  // One value. Brackets that are open lie on a stack of our own.
  bool Value() {
    std::string open;
    for (;;) {
      SkipBlanks();
      const char c = Peek();
      if (c == '{' || c == '[') {
        ++at_;
        SkipBlanks();
        if (!Take(c == '{' ? '}' : ']')) {
          open.push_back(c == '{' ? '}' : ']');
          if (c == '{' && !Key(nullptr)) return false;
          continue;
        }
      } else if (!Scalar()) {
        return false;
      }
      for (;;) {
        if (open.empty()) return true;
        SkipBlanks();
        if (!Take(open.back())) break;
        open.pop_back();
      }
      if (!Take(','))
        return Fail(open.back() == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
      SkipBlanks();
      if (open.back() == '}' && !Key(nullptr)) return false;
    }
  }

  bool Scalar() {
    if (Peek() == '"') return String();
    for (const std::string_view word : {"true", "false", "null"}) {
      if (source_.compare(at_, word.size(), word) != 0) continue;
      at_ += word.size();
      return true;
    }
    return Number();
  }

  bool Digits() {
    const size_t begin = at_;
    while (IsDigit(Peek())) ++at_;
    return at_ > begin;
  }

  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return Fail("expected a value");
    if (Take('.') && !Digits()) return Fail("a number without digits after its point");
    if (Take('e') || Take('E')) {
      if (!Take('-')) Take('+');
      if (!Digits()) return Fail("a number without digits in its exponent");
    }
    return true;
  }

  bool String() {
    ++at_;
    for (; at_ < source_.size(); ++at_) {
      const unsigned char c = static_cast<unsigned char>(source_[at_]);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c < 0x20) return Fail("a control character in a string; write it as an escape");
      if (c != '\\') continue;
      ++at_;
      const char escaped = Peek();
      if (escaped == 'u') {
        for (int i = 0; i < 4; ++i) {
          ++at_;
          if (HexValue(Peek()) < 0) return Fail("an escape without four hexadecimal digits");
        }
      } else if (escaped == '\0' || std::strchr("\"\\/bfnrt", escaped) == nullptr) {
        return Fail("no such escape");
      }
    }
    return Fail("a string without its end");
  }

  const std::string_view source_;
  JsonFault* const fault_;
  size_t at_ = 0;
};

void AppendUtf8(std::string* out, uint32_t point) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6));
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

// The four digits at `at`.
uint32_t HexUnit(std::string_view text, size_t at) {
  uint32_t unit = 0;
  for (size_t i = at; i < at + 4; ++i) unit = unit * 16 + static_cast<uint32_t>(HexValue(text[i]));
  return unit;
}

bool IsHighSurrogate(uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool IsLowSurrogate(uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

// The escape whose 'u' is at `at`; returns the place after it.
size_t AppendUnicodeEscape(std::string_view text, size_t at, std::string* out) {
  const uint32_t unit = HexUnit(text, at + 1);
  at += 5;
  if (IsHighSurrogate(unit) && text.compare(at, 2, "\\u") == 0) {
    const uint32_t low = HexUnit(text, at + 2);
    if (IsLowSurrogate(low)) {
      AppendUtf8(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
      return at + 6;
    }
  }
  if (IsHighSurrogate(unit) || IsLowSurrogate(unit)) {
    out->append(kReplacement);
  } else {
    AppendUtf8(out, unit);
  }
  return at;
}

// The length of the well-formed character at the front of `text`; 0 when there is none.
size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  // Overlong forms, surrogates, and what lies above U+10FFFF.
  const bool bad = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
                   (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
  return bad ? 0 : size;
}

}  // namespace

bool ScanJson(std::string_view source, char bracket, std::vector<JsonMember>* members,
              JsonFault* fault) {
  members->clear();
  return Scanner(source, fault).Scan(bracket, members);
}

const JsonMember* FindMember(const std::vector<JsonMember>& members, std::string_view key) {
  for (const JsonMember& member : members) {
    if (member.key == key) return &member;
  }
  return nullptr;
}

std::string JsonText(std::string_view literal) {
  std::string text;
  if (literal.size() < 2 || literal[0] != '"') return text;
  literal = literal.substr(1, literal.size() - 2);
  text.reserve(literal.size());
  for (size_t at = 0; at < literal.size();) {
    const size_t escape = std::min(literal.find('\\', at), literal.size());
    text.append(literal.substr(at, escape - at));
    if (escape == literal.size()) break;
    at = escape + 1;
    constexpr std::string_view kLetters = "bfnrt", kMeant = "\b\f\n\r\t";
    const size_t letter = kLetters.find(literal[at]);
    if (literal[at] == 'u') {
      at = AppendUnicodeEscape(literal, at, &text);
    } else {
      text.push_back(letter == std::string_view::npos ? literal[at] : kMeant[letter]);
      ++at;
    }
  }
  return text;
}

bool JsonObject::Read(std::string_view source) {
  JsonFault fault;
  source_ = source;
  return ScanJson(source_, '{', &members_, &fault);
}

std::string_view JsonObject::Field(std::string_view key) const {
  const JsonMember* member = FindMember(members_, key);
  return member == nullptr ? std::string_view() : member->In(source_);
}

uint64_t JsonObject::Number(std::string_view key) const {
  return ParseNumber(Field(key)).value_or(0);
}

std::vector<JsonObject> JsonObject::Objects(std::string_view key) const {
  std::vector<JsonObject> objects;
  std::vector<JsonMember> elements;
  JsonFault fault;
  const std::string_view array = Field(key);
  if (!ScanJson(array, '[', &elements, &fault)) return objects;
  for (const JsonMember& element : elements) {
    JsonObject object;
    if (object.Read(element.In(array))) objects.push_back(std::move(object));
  }
  return objects;
}

void AppendJsonString(std::string* out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out->push_back('"');
  while (!text.empty()) {
    const unsigned char c = static_cast<unsigned char>(text[0]);
    const size_t size = CharacterBytes(text);
    if (size == 0) {
      out->append(kReplacement);
    } else if (c == '\n' || c == '\t' || c == '\r') {
      out->append(c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
    } else if (c < 0x20 || c == 0x7F) {
      out->append("\\u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 0xF]);
    } else {
      if (c == '"' || c == '\\') out->push_back('\\');
      out->append(text.substr(0, size));
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out->push_back('"');
}

}  // namespace weir::cli
