// What RapidJSON makes of a text, as a list of values or an error, for comparison with our
// reader's.
//
// RapidJSON is told to keep numbers as text and runs without its vector loops (one of those lets
// control characters pass). Around it stands what it does not do: UTF-8 is checked first, repeated
// keys and depth by its events; half of a surrogate pair, of which it lets the second pass, is
// looked for in what it decoded; and a number beyond the range of double is hidden from it.

#ifndef WEIR_TESTS_BASE_JSON_ORACLE_H_
#define WEIR_TESTS_BASE_JSON_ORACLE_H_

#include <rapidjson/reader.h>
#include <rapidjson/stream.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace weir::json::testing {

// A value with everything that can be asked of it.
struct Item {
  Type type = Type::kNull;
  size_t begin = 0, end = 0, key_begin = 0, size = 0;
  std::string text, key;

  bool operator==(const Item&) const = default;
};

// Values in document order, or the error's offset and kind; the kinds are named by words that the
// reader's messages have.
struct Outcome {
  std::vector<Item> items;
  bool failed = false;
  size_t offset = 0;
  std::string words;
};

// The textbook way: one character at a time, by its code point. The offset of the first byte that
// is not of a character, npos when all are.
inline size_t NaiveFindInvalidUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto byte = [&](size_t i) -> uint32_t { return static_cast<unsigned char>(text[i]); };
    const uint32_t lead = byte(at);
    const size_t size = lead < 0x80             ? 1
                        : (lead & 0xE0) == 0xC0 ? 2
                        : (lead & 0xF0) == 0xE0 ? 3
                        : (lead & 0xF8) == 0xF0 ? 4
                                                : 0;
    if (size == 0 || at + size > text.size()) return at;
    uint32_t code_point = size == 1 ? lead : lead & (0x7Fu >> size);
    for (size_t i = 1; i < size; ++i) {
      if ((byte(at + i) & 0xC0) != 0x80) return at;
      code_point = code_point << 6 | (byte(at + i) & 0x3F);
    }
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code_point < kLeast[size] || code_point > 0x10FFFF) return at;
    if (code_point >= 0xD800 && code_point <= 0xDFFF) return at;
    at += size;
  }
  return std::string_view::npos;
}

// Takes RapidJSON's events of `stream`, which reads a text as long as `source`, and differs from it
// in the numbers at `hidden`, which begin in the source where these say.
class OracleHandler {
 public:
  using Ch = char;

  OracleHandler(std::string_view source, const rapidjson::StringStream& stream,
                const std::map<size_t, size_t>& hidden, const ParseOptions& options,
                Outcome* outcome)
      : source_(source), stream_(stream), hidden_(hidden), options_(options), outcome_(*outcome) {}

  // A literal is taken before the event; of anything else it stands at the first byte.
  bool Null() { return Add(Type::kNull, stream_.Tell() - 4, stream_.Tell(), ""); }
  bool Bool(bool value) {
    const std::string_view word = value ? "true" : "false";
    return Add(Type::kBool, stream_.Tell() - word.size(), stream_.Tell(), word);
  }
  bool RawNumber(const char*, rapidjson::SizeType size, bool) {
    const size_t end = stream_.Tell() + size;
    const auto hidden = hidden_.find(stream_.Tell());
    const size_t begin = hidden == hidden_.end() ? stream_.Tell() : hidden->second;
    return Add(Type::kNumber, begin, end, source_.substr(begin, end - begin));
  }
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return NoHalfPair({text, size}) &&
           Add(Type::kString, stream_.Tell(), StringEnd(stream_.Tell()), {text, size});
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    key_ = std::string(text, size);
    key_begin_ = stream_.Tell();
    return NoHalfPair(key_);
  }
  bool StartObject() { return Start(Type::kObject); }
  bool StartArray() { return Start(Type::kArray); }
  bool EndObject(rapidjson::SizeType size) { return End(size) && KeysAreUnique(); }
  bool EndArray(rapidjson::SizeType size) { return End(size); }

 private:
  bool Fail(size_t offset, std::string words) {
    outcome_.failed = true;
    outcome_.offset = offset;
    outcome_.words = std::move(words);
    return false;
  }

  bool Add(Type type, size_t begin, size_t end, std::string_view text) {
    Item item;
    item.type = type;
    item.begin = begin;
    item.end = end;
    item.text = std::string(text);
    if (!open_.empty() && outcome_.items[open_.back()].type == Type::kObject) {
      item.key = key_;
      item.key_begin = key_begin_;
      keys_.back().emplace_back(key_, key_begin_);
    }
    outcome_.items.push_back(item);
    return true;
  }

  bool Start(Type type) {
    if (open_.size() == kMaxDepth) return Fail(stream_.Tell(), "64 deep");
    Add(type, stream_.Tell(), 0, "");
    open_.push_back(outcome_.items.size() - 1);
    keys_.emplace_back();
    return true;
  }

  bool End(size_t size) {
    Item& item = outcome_.items[open_.back()];
    item.end = stream_.Tell() + 1;
    item.size = size;
    open_.pop_back();
    closed_keys_ = std::move(keys_.back());
    keys_.pop_back();
    return true;
  }

  // The first key that was there before is told; of objects of more than 16, the second place of
  // the least of all keys that repeat.
  bool KeysAreUnique() {
    if (options_.allow_duplicate_keys) return true;
    std::map<std::string, std::vector<size_t>> places;
    size_t first = source_.size();
    for (const auto& [key, begin] : closed_keys_) {
      places[key].push_back(begin);
      if (places[key].size() == 2) first = std::min(first, begin);
    }
    if (first == source_.size()) return true;
    if (closed_keys_.size() <= 16) return Fail(first, "appears twice");
    const auto least = std::find_if(places.begin(), places.end(),
                                    [](const auto& place) { return place.second.size() > 1; });
    return Fail(least->second[1], "appears twice");
  }

  // The source is UTF-8, so what is not in the text was an escape.
  bool NoHalfPair(std::string_view text) {
    if (NaiveFindInvalidUtf8(text) == std::string_view::npos) return true;
    for (size_t at = stream_.Tell() + 1;; ++at) {
      if (source_[at] != '\\') continue;
      if (source_[++at] != 'u') continue;
      const char high = source_[at + 1], next = static_cast<char>(source_[at + 2] | 0x20);
      const bool surrogate = (high == 'd' || high == 'D') &&
                             (next == '8' || next == '9' || (next >= 'a' && next <= 'f'));
      if (surrogate && next >= 'c') return Fail(at - 1, "surrogate");
      at += surrogate ? 10 : 4;  // over the second half as well
    }
  }

  size_t StringEnd(size_t begin) const {
    size_t at = begin + 1;
    while (source_[at] != '"') at += source_[at] == '\\' ? 2 : 1;
    return at + 1;
  }

  const std::string_view source_;
  const rapidjson::StringStream& stream_;
  const std::map<size_t, size_t>& hidden_;
  const ParseOptions options_;
  Outcome& outcome_;
  std::vector<size_t> open_;  // indices of items
  std::vector<std::vector<std::pair<std::string, size_t>>> keys_;
  std::vector<std::pair<std::string, size_t>> closed_keys_;
  std::string key_;
  size_t key_begin_ = 0;
};

// Puts a 0 for the integer of the number at text[begin], in its last place, blanks before, and
// zeros for the exponent's digits: all that comes after stays where it was. Returns where the 0 is.
inline size_t HideNumber(std::string* text, size_t begin) {
  const auto digit = [&](size_t i) {
    return i < text->size() && (*text)[i] >= '0' && (*text)[i] <= '9';
  };
  size_t at = begin;
  if ((*text)[at] == '-') ++at;
  while (digit(at)) ++at;
  const size_t zero = at - 1;
  std::fill(text->begin() + static_cast<std::ptrdiff_t>(begin),
            text->begin() + static_cast<std::ptrdiff_t>(zero), ' ');
  (*text)[zero] = '0';
  if (at < text->size() && (*text)[at] == '.') ++at;
  while (digit(at)) ++at;
  if (at < text->size() && ((*text)[at] == 'e' || (*text)[at] == 'E')) ++at;
  if (at < text->size() && ((*text)[at] == '+' || (*text)[at] == '-')) ++at;
  for (; digit(at); ++at) (*text)[at] = '0';
  return zero;
}

inline std::string WordsOf(rapidjson::ParseErrorCode code, char byte, char before) {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "empty";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "after the end";
    case rapidjson::kParseErrorValueInvalid:
      return "expected a value";
    case rapidjson::kParseErrorObjectMissName:
      return "expected a key";
    case rapidjson::kParseErrorObjectMissColon:
      return "expected ':'";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "',' or '}'";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "',' or ']'";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "four hexadecimal digits";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "surrogate";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return byte == '\\' ? "escape" : "control character";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "closing quote";
    case rapidjson::kParseErrorNumberMissFraction:
      return "decimal point";
    case rapidjson::kParseErrorNumberMissExponent:
      return "exponent";
    case rapidjson::kParseErrorUnspecificSyntaxError:
      return before == '/' ? "comment" : "comment has no end";
    default:
      return "what RapidJSON calls " + std::to_string(code);
  }
}

inline bool IsOfString(rapidjson::ParseErrorCode code) {
  return code == rapidjson::kParseErrorStringUnicodeEscapeInvalidHex ||
         code == rapidjson::kParseErrorStringUnicodeSurrogateInvalid ||
         code == rapidjson::kParseErrorStringEscapeInvalid ||
         code == rapidjson::kParseErrorStringMissQuotationMark;
}

inline Outcome OracleOutcome(std::string_view source, const ParseOptions& options) {
  constexpr unsigned kStrict =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  constexpr unsigned kRelaxed =
      kStrict | rapidjson::kParseCommentsFlag | rapidjson::kParseTrailingCommasFlag;
  Outcome outcome;
  if (const size_t bad = NaiveFindInvalidUtf8(source); bad != std::string_view::npos) {
    outcome.failed = true;
    outcome.offset = bad;
    outcome.words = "not UTF-8";
    return outcome;
  }
  std::string text(source);
  std::map<size_t, size_t> hidden;
  while (true) {
    outcome = {};
    rapidjson::StringStream stream(text.c_str());
    OracleHandler handler(source, stream, hidden, options, &outcome);
    rapidjson::Reader reader;
    const rapidjson::ParseResult result = options.relaxed ? reader.Parse<kRelaxed>(stream, handler)
                                                          : reader.Parse<kStrict>(stream, handler);
    if (outcome.failed) break;
    if (result.Code() == rapidjson::kParseErrorNumberTooBig) {
      const size_t begin = result.Offset();
      hidden[HideNumber(&text, begin)] = begin;
      continue;
    }
    if (result.IsError()) {
      outcome.failed = true;
      outcome.offset = result.Offset();
      const size_t at = result.Offset();
      outcome.words = WordsOf(result.Code(), at < source.size() ? source[at] : '\0',
                              at == 0 ? '\0' : source[at - 1]);
      // A half pair before it in the same string is the first thing wrong: so says that string when
      // it ends there.
      if (IsOfString(result.Code())) {
        const Outcome before = OracleOutcome(std::string(source.substr(0, at)) + '"', options);
        if (before.words == "surrogate") return before;
      }
    } else if (stream.Tell() != source.size()) {  // a NUL byte is the end to it
      outcome.failed = true;
      outcome.offset = stream.Tell();
      outcome.words = "after the end";
    }
    break;
  }
  if (outcome.failed) outcome.items.clear();
  return outcome;
}

// What our reader makes of it; `words` is its message.
inline Outcome OurOutcome(const Document& document, bool parsed, const ParseError& error) {
  Outcome outcome;
  outcome.failed = !parsed;
  outcome.offset = error.offset;
  outcome.words = error.message;
  std::vector<Value> open;
  if (document.root()) open.push_back(document.root());
  while (!open.empty()) {
    const Value value = open.back();
    open.pop_back();
    outcome.items.push_back({value.type(), value.begin_offset(), value.end_offset(),
                             value.key_begin(), value.size(), std::string(value.text()),
                             std::string(value.key())});
    std::vector<Value> members;
    for (Value member : value.members()) members.push_back(member);
    open.insert(open.end(), members.rbegin(), members.rend());
  }
  return outcome;
}

// What is different between the two, "" when nothing is. Reads `source` borrowed and copied.
inline std::string Difference(std::string_view source, const ParseOptions& options) {
  const Outcome oracle = OracleOutcome(source, options);
  Document document;
  ParseError error;
  // In a block of its own size, so that a byte read too much is seen.
  const std::vector<char> exact(source.begin(), source.end());
  for (bool borrowed : {true, false}) {
    const std::string_view text(exact.data(), exact.size());
    const bool parsed = borrowed ? document.ParseBorrowed(text, options, &error)
                                 : document.Parse(text, options, &error);
    const Outcome ours = OurOutcome(document, parsed, error);
    if (ours.failed != oracle.failed) {
      return oracle.failed ? "it is read, but should not be: " + oracle.words
                           : "it is not read: " + ours.words;
    }
    if (ours.failed != (ours.words != "")) return "an error without words, or the other way";
    if (oracle.failed &&
        (ours.offset != oracle.offset || ours.words.find(oracle.words) == std::string::npos)) {
      return "the error is \"" + ours.words + "\" at " + std::to_string(ours.offset) +
             " instead of \"" + oracle.words + "\" at " + std::to_string(oracle.offset);
    }
    if (ours.items != oracle.items) return "the values are different";
    if (document.source() != source) return "the source is another";
  }
  return "";
}

inline std::string DifferenceInAnyMode(std::string_view source) {
  for (bool relaxed : {false, true}) {
    for (bool duplicates : {false, true}) {
      std::string difference =
          Difference(source, {.relaxed = relaxed, .allow_duplicate_keys = duplicates});
      if (!difference.empty()) return difference;
    }
  }
  return "";
}

}  // namespace weir::json::testing

#endif  // WEIR_TESTS_BASE_JSON_ORACLE_H_
