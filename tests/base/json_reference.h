// The same text read by RapidJSON and by our own reader, each as one line of events: what they tell
// has to be the same.

#ifndef WEIR_TESTS_BASE_JSON_REFERENCE_H_
#define WEIR_TESTS_BASE_JSON_REFERENCE_H_

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/text.h"

namespace weir::json::testing {

class EventWriter {
 public:
  using Ch = char;

  bool Null() { return Put("null"); }
  bool Bool(bool value) { return Put(value ? "true" : "false"); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return Put("number ") && Text({text, size});
  }
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return Put("string ") && Text({text, size});
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    return Put("key ") && Text({text, size});
  }
  bool StartObject() { return ++depth_ <= kMaxDepth && Put("{"); }
  bool EndObject(rapidjson::SizeType) { return depth_-- > 0 && Put("}"); }
  bool StartArray() { return ++depth_ <= kMaxDepth && Put("["); }
  bool EndArray(rapidjson::SizeType) { return depth_-- > 0 && Put("]"); }

  std::string events;

 private:
  bool Put(std::string_view what) {
    events.append(what).push_back(' ');
    return true;
  }
  // Halves of surrogate pairs, which RapidJSON lets pass, are no text.
  bool Text(std::string_view text) {
    events.append(std::to_string(text.size())).append(":").append(text).push_back(' ');
    return FindInvalidUtf8(text) == std::string_view::npos;
  }

  uint32_t depth_ = 0;
};

// What RapidJSON tells of a text; "" when it refuses it; nullopt when it cannot say, because a
// number is beyond the range of double. Its vector loops are off here: one of them lets control
// characters pass.
inline std::optional<std::string> ReferenceEvents(std::string_view text) {
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseNumbersAsStringsFlag |
                              rapidjson::kParseValidateEncodingFlag;
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  EventWriter writer;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, writer);
  if (result.Code() == rapidjson::kParseErrorNumberTooBig) return std::nullopt;
  // A NUL byte is the end to it.
  if (result.IsError() || stream.Tell() != text.size()) return "";
  return writer.events;
}

// What our reader tells; "" when it refuses the text.
inline std::string OurEvents(std::string_view text) {
  Document document;
  ParseError error;
  if (!document.Parse(text, {.allow_duplicate_keys = true}, &error)) return "";
  EventWriter writer;
  const auto write = [&](const auto& self, Value value) -> void {
    const std::string_view words = value.text();
    const auto size = static_cast<rapidjson::SizeType>(words.size());
    switch (value.type()) {
      case Type::kNull:
        writer.Null();
        return;
      case Type::kBool:
        writer.Bool(value.boolean());
        return;
      case Type::kNumber:
        writer.RawNumber(words.data(), size, true);
        return;
      case Type::kString:
        writer.String(words.data(), size, true);
        return;
      default:
        break;
    }
    const bool object = value.Is(Type::kObject);
    object ? writer.StartObject() : writer.StartArray();
    for (Value member : value.members()) {
      if (object) {
        const std::string_view key = member.key();
        writer.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()), true);
      }
      self(self, member);
    }
    object ? writer.EndObject(0) : writer.EndArray(0);
  };
  write(write, document.root());
  return writer.events;
}

// Every value's source is a text that reads as that value: the places are right.
inline bool PlacesAreRight(std::string_view text) {
  Document document;
  ParseError error;
  if (!document.Parse(text, {.allow_duplicate_keys = true}, &error)) return true;
  std::vector<Value> open = {document.root()};
  while (!open.empty()) {
    const Value value = open.back();
    open.pop_back();
    Document again;
    if (!again.Parse(value.source(), {.allow_duplicate_keys = true}, &error)) return false;
    if (again.root().type() != value.type() || again.root().text() != value.text()) return false;
    if (again.root().size() != value.size()) return false;
    for (Value member : value.members()) {
      if (value.Is(Type::kObject) && text[member.key_begin()] != '"') return false;
      open.push_back(member);
    }
  }
  return true;
}

}  // namespace weir::json::testing

#endif  // WEIR_TESTS_BASE_JSON_REFERENCE_H_
