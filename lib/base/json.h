// JSON: one reader and one writer for policies, request bodies, stream events.
//
// A Document is a flat array of nodes over the source: no allocation per value, no recursion,
// reusable. Every value knows its byte range in the source, so errors can name a line and column
// and edits can be splices. Strings are decoded where they have escapes and point into the source
// where they have none. Numbers stay text of any length until asked for: nothing is rounded.
//
// What is accepted is RFC 8259 in UTF-8, a surrogate escape only as half of a pair: every text is
// UTF-8. Nesting beyond kMaxDepth and keys that repeat are refused.

#ifndef WEIR_LIB_BASE_JSON_H_
#define WEIR_LIB_BASE_JSON_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/recycling.h"

namespace weir::json {

inline constexpr uint32_t kMaxDepth = 64;

enum class Type : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };
std::string_view TypeName(Type type);  // "null", "a boolean", "a number", …

struct ParseOptions {
  bool relaxed = false;  // comments and trailing commas, as policies have
  bool allow_duplicate_keys = false;
};

// Where and why a parse failed.
struct ParseError {
  size_t offset = 0;
  std::string message;  // empty: no error
};

class Document;

// A view of one value; valid as long as its document is unchanged. A default one is "absent".
class Value {
 public:
  Value() = default;

  explicit operator bool() const { return document_ != nullptr; }
  Type type() const;
  bool Is(Type type) const { return document_ != nullptr && this->type() == type; }

  // Decoded text of a string; raw text of a number, "true" or "false"; else empty.
  std::string_view text() const;
  bool boolean() const { return text() == "true"; }
  // A number written as an integer that fits; nullopt for anything else (fractions, exponents, -0).
  std::optional<int64_t> Int() const;
  std::optional<uint64_t> Uint() const;

  // The key of an object's member; empty otherwise.
  std::string_view key() const;
  size_t key_begin() const;  // offset of the key's opening quote

  // Byte range in the source.
  size_t begin_offset() const;
  size_t end_offset() const;
  std::string_view source() const;

  size_t size() const;                           // members or elements
  Value operator[](std::string_view key) const;  // absent when there is none, or not an object

  class Iterator {
   public:
    Value operator*() const { return Value(document_, index_, keyed_); }
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    friend class Value;
    Iterator(const Document* document, uint32_t index, bool keyed)
        : document_(document), index_(index), keyed_(keyed) {}
    const Document* document_;
    uint32_t index_;
    bool keyed_;
  };
  // Range over members or elements; empty for anything else.
  struct Range {
    Iterator first, last;
    Iterator begin() const { return first; }
    Iterator end() const { return last; }
  };
  Range members() const;

 private:
  friend class Document;
  Value(const Document* document, uint32_t index, bool keyed)
      : document_(document), index_(index), keyed_(keyed) {}
  const Document* document_ = nullptr;
  uint32_t index_ = 0;
  bool keyed_ = false;  // the node before is its key
};

// What a Document is made of: a value, or the key of the member whose value is next. Small, because
// a hostile body is all nodes; the type is told by the first byte.
struct Node {
  uint32_t begin;   // offset in the source
  uint32_t size;    // bytes: of a string as decoded, of anything else in the source
  uint32_t link;    // array, object: index after everything in it; string: offset where decoded
  uint32_t extent;  // array, object: elements or members; string: bytes in the source
};
class DecodedStrings {  // those that have escapes
 public:
  DecodedStrings() = default;
  ~DecodedStrings() { recycling::Give(bytes_, capacity_); }
  DecodedStrings(const DecodedStrings&) = delete;
  DecodedStrings& operator=(const DecodedStrings&) = delete;

  char* bytes() const { return bytes_; }
  // Room for so many from the beginning on; what was there before is gone.
  char* Room(size_t bytes) {
    if (capacity_ < bytes) {
      recycling::Give(std::exchange(bytes_, nullptr), std::exchange(capacity_, 0));
      bytes_ = static_cast<char*>(recycling::Take(bytes));
      capacity_ = bytes;
    }
    return bytes_;
  }
  void Swap(DecodedStrings* other) noexcept {
    std::swap(bytes_, other->bytes_);
    std::swap(capacity_, other->capacity_);
  }

 private:
  char* bytes_ = nullptr;
  size_t capacity_ = 0;
};

class Document {
 public:
  Document() = default;
  Document(Document&& other) noexcept { Swap(&other); }
  Document& operator=(Document&& other) noexcept {
    Document taken(std::move(other));
    Swap(&taken);
    return *this;
  }
  // A copy's values would point into the original.
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  // Parses all of `source` (a copy is kept). On failure root() is absent and `error` says where.
  // Bodies of about 2^32 bytes and more are refused. Reuses this document's memory. Linear in the
  // source, but for an object of n keys n log n.
  bool Parse(std::string_view source, const ParseOptions& options, ParseError* error);
  bool Parse(std::string_view source) {
    ParseError error;
    return Parse(source, {}, &error);
  }

  // The same without the copy: `source` has to stay as it is while this document's values are used.
  bool ParseBorrowed(std::string_view source, const ParseOptions& options, ParseError* error);

  Value root() const { return nodes_.empty() ? Value() : Value(this, 0, false); }
  std::string_view source() const { return source_; }

 private:
  friend class Value;
  void Swap(Document* other) noexcept;
  Type TypeOf(const Node& node) const;
  bool IsNested(const Node& node) const;                // an array or an object
  std::string_view StringText(const Node& node) const;  // of a string
  std::string_view Text(const Node& node) const;
  uint32_t Next(uint32_t index) const;  // the index after the value and everything in it

  RecycledVector<char> copy_;
  std::string_view source_;
  DecodedStrings decoded_;
  RecycledVector<Node> nodes_;
};

// What is asked of values all the time, inline.

inline Type Document::TypeOf(const Node& node) const {
  switch (source_[node.begin]) {
    case '"':
      return Type::kString;
    case '{':
      return Type::kObject;
    case '[':
      return Type::kArray;
    case 't':
    case 'f':
      return Type::kBool;
    case 'n':
      return Type::kNull;
    default:
      return Type::kNumber;
  }
}

inline bool Document::IsNested(const Node& node) const {
  return source_[node.begin] == '{' || source_[node.begin] == '[';
}

inline std::string_view Document::StringText(const Node& node) const {
  // Every escape is longer than what it stands for.
  if (node.extent != node.size + 2) return {decoded_.bytes() + node.link, node.size};
  return {source_.data() + node.begin + 1, node.size};
}

inline std::string_view Document::Text(const Node& node) const {
  switch (TypeOf(node)) {
    case Type::kString:
      return StringText(node);
    case Type::kNumber:
    case Type::kBool:
      return {source_.data() + node.begin, node.size};
    default:
      return {};
  }
}

inline uint32_t Document::Next(uint32_t index) const {
  return IsNested(nodes_[index]) ? nodes_[index].link : index + 1;
}

inline Type Value::type() const { return document_->TypeOf(document_->nodes_[index_]); }

inline std::string_view Value::text() const {
  return document_ == nullptr ? std::string_view() : document_->Text(document_->nodes_[index_]);
}

inline std::string_view Value::key() const {
  return keyed_ ? document_->StringText(document_->nodes_[index_ - 1]) : std::string_view();
}

inline Value::Iterator& Value::Iterator::operator++() {
  index_ = document_->Next(index_) + (keyed_ ? 1 : 0);
  return *this;
}

inline Value::Range Value::members() const {
  if (document_ == nullptr) return {{nullptr, 0, false}, {nullptr, 0, false}};
  const Node& node = document_->nodes_[index_];
  const bool keyed = document_->source_[node.begin] == '{';
  const uint32_t step = keyed ? 1 : 0;  // over the key
  const uint32_t end = document_->Next(index_) + step;
  const uint32_t begin = document_->IsNested(node) ? index_ + 1 + step : end;
  return {{document_, begin, keyed}, {document_, end, keyed}};
}

struct LineColumn {
  size_t line = 1, column = 1;  // columns count bytes
};
LineColumn Locate(std::string_view source, size_t offset);

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void AppendString(std::string* out, std::string_view text);

// Writes compact JSON by appending; commas are put where they belong.
class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}
  Writer& BeginObject() { return Open('{'); }
  Writer& EndObject() { return Close('}'); }
  Writer& BeginArray() { return Open('['); }
  Writer& EndArray() { return Close(']'); }
  Writer& Key(std::string_view key);
  Writer& String(std::string_view text);
  Writer& Int(int64_t value);
  Writer& Uint(uint64_t value);
  Writer& Bool(bool value);
  Writer& Null();
  Writer& Raw(std::string_view json);  // a whole value, already JSON

 private:
  Writer& Open(char bracket);
  Writer& Close(char bracket);
  void Separate();
  std::string* out_;
  bool first_ = true;
  bool after_key_ = false;
};

}  // namespace weir::json

#endif  // WEIR_LIB_BASE_JSON_H_
