#include "base/json.h"

#if defined(__SSE2__)
#define RAPIDJSON_SSE2 1
#endif
#define RAPIDJSON_HAS_STDSTRING 0
// RapidJSON asserts only on its own misuse; in a host's process even that may not abort.
#define RAPIDJSON_ASSERT(x) ((void)sizeof(x))
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace weir::json {
namespace {

using Stream = rapidjson::InsituStringStream;

// The offset after the closing quote of the string that opens at source[begin].
size_t StringEnd(std::string_view source, size_t begin) {
  size_t at = begin + 1;
  while (source[at] != '"') at += source[at] == '\\' ? 2 : 1;
  return at + 1;
}

// The reader's vector loops look at whole aligned blocks, beyond the terminating NUL.
constexpr size_t kPadding = 16;

// RapidJSON refuses a number beyond the range of double even when it hands it on as text. For us
// it is data like any other: the parse is repeated with the number hidden, for so many numbers.
constexpr size_t kMaxHugeNumbers = 8;

// The offset after the number that starts, well-formed, at text[at].
size_t NumberEnd(std::string_view text, size_t at) {
  const auto digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  const auto one_of = [&](size_t i, std::string_view set) {
    return i < text.size() && set.find(text[i]) != std::string_view::npos;
  };
  if (one_of(at, "-")) ++at;
  while (digit(at)) ++at;
  if (one_of(at, ".") && digit(at + 1)) {
    for (++at; digit(at); ++at) {
    }
  }
  if (!one_of(at, "eE")) return at;
  const size_t exponent = at + (one_of(at + 1, "+-") ? 2 : 1);
  if (!digit(exponent)) return at;
  for (at = exponent; digit(at); ++at) {
  }
  return at;
}

std::string ErrorText(rapidjson::ParseErrorCode code) {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "the document is empty";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "there is more after the end of the document";
    case rapidjson::kParseErrorObjectMissName:
      return "expected a key in double quotes";
    case rapidjson::kParseErrorObjectMissColon:
      return "expected ':' after the key";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "expected ',' or '}' after a member";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "expected ',' or ']' after an element";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "the string has no closing quote";
    default:
      return rapidjson::GetParseError_En(code);
  }
}

}  // namespace

// Receives RapidJSON's events and lays out nodes in document order. Parsing in place, texts point
// into the decoded copy at the place where they stood in the source.
class Builder {
 public:
  using Ch = char;

  Builder(Document* document, Stream* stream, const char* decoded, const ParseOptions& options)
      : document_(document), stream_(stream), decoded_(decoded), options_(options) {}

  bool Null() { return Literal(Type::kNull, 4); }
  bool Bool(bool value) { return Literal(Type::kBool, value ? 4 : 5); }
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    return Scalar(Type::kNumber, Offset(text), length);
  }
  // Numbers arrive as RawNumber only; the reader's interface wants these to exist.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    return Scalar(Type::kString, Offset(text) - 1, length);
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    key_begin_ = static_cast<uint32_t>(Offset(text) - 1);
    key_size_ = length;
    return true;
  }
  bool StartObject() { return Start(Type::kObject); }
  bool StartArray() { return Start(Type::kArray); }
  bool EndObject(rapidjson::SizeType) { return End(); }
  bool EndArray(rapidjson::SizeType) { return End(); }

  const std::string& error() const { return error_; }
  size_t error_offset() const { return error_offset_; }

 private:
  // The reader takes a literal before it tells of it …
  bool Literal(Type type, size_t size) { return Scalar(type, stream_->Tell() - size, size); }

  // … and a string's end in the source is looked up when somebody asks for it.
  bool Scalar(Type type, size_t begin, size_t size) {
    Append(type, begin);
    Document::Node& node = document_->nodes_.back();
    node.size = static_cast<uint32_t>(size);
    node.next = static_cast<uint32_t>(document_->nodes_.size());
    return true;
  }

  size_t Offset(const char* text) const { return static_cast<size_t>(text - decoded_); }

  // Of a bracket it tells before taking it.
  bool Start(Type type) {
    if (depth_ == kMaxDepth) {
      return Fail("nested more than 64 deep", stream_->Tell());
    }
    Append(type, stream_->Tell());
    open_[depth_++] = static_cast<uint32_t>(document_->nodes_.size() - 1);
    return true;
  }

  bool End() {
    const uint32_t index = open_[--depth_];
    Document::Node& node = document_->nodes_[index];
    node.size = static_cast<uint32_t>(stream_->Tell() + 1 - node.begin);
    node.next = static_cast<uint32_t>(document_->nodes_.size());
    return node.type != Type::kObject || options_.allow_duplicate_keys || KeysAreUnique(index);
  }

  void Append(Type type, size_t begin) {
    Document::Node node;
    node.type = type;
    node.begin = static_cast<uint32_t>(begin);
    if (depth_ != 0) {
      Document::Node& parent = document_->nodes_[open_[depth_ - 1]];
      ++parent.count;
      if (parent.type == Type::kObject) {
        node.key_begin = key_begin_;
        node.key_size = key_size_;
      }
    }
    document_->nodes_.push_back(node);
  }

  bool KeysAreUnique(uint32_t object) {
    constexpr uint32_t kFewKeys = 16;
    const auto& nodes = document_->nodes_;
    const uint32_t end = nodes[object].next;
    if (nodes[object].count <= kFewKeys) {
      for (uint32_t i = object + 1; i < end; i = nodes[i].next) {
        for (uint32_t j = object + 1; j < i; j = nodes[j].next) {
          if (document_->Key(nodes[i]) == document_->Key(nodes[j])) return FailDuplicate(nodes[i]);
        }
      }
      return true;
    }
    // Sorted, so that no choice of keys makes it slow.
    std::vector<std::pair<std::string_view, uint32_t>> keys;
    keys.reserve(nodes[object].count);
    for (uint32_t i = object + 1; i < end; i = nodes[i].next) {
      keys.emplace_back(document_->Key(nodes[i]), i);
    }
    std::sort(keys.begin(), keys.end());
    for (size_t i = 1; i < keys.size(); ++i) {
      if (keys[i].first == keys[i - 1].first) return FailDuplicate(nodes[keys[i].second]);
    }
    return true;
  }

  bool FailDuplicate(const Document::Node& node) {
    return Fail(Concat({"the key \"", document_->Key(node), "\" appears twice"}), node.key_begin);
  }

  bool Fail(std::string message, size_t offset) {
    error_ = std::move(message);
    error_offset_ = offset;
    return false;
  }

  Document* document_;
  Stream* stream_;
  const char* decoded_;
  ParseOptions options_;
  std::array<uint32_t, kMaxDepth> open_;  // the arrays and objects around the next value
  uint32_t depth_ = 0;
  uint32_t key_begin_ = 0, key_size_ = 0;
  std::string error_;
  size_t error_offset_ = 0;
};

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "a boolean";
    case Type::kNumber:
      return "a number";
    case Type::kString:
      return "a string";
    case Type::kArray:
      return "an array";
    case Type::kObject:
      return "an object";
  }
  return "a value";
}

bool Document::Parse(std::string_view source, const ParseOptions& options, ParseError* error) {
  nodes_.clear();
  *error = {};
  if (source.size() >= UINT32_MAX - kPadding) {
    *error = {0, "the document is too large"};
    return false;
  }
  if (const size_t bad = FindInvalidUtf8(source); bad != std::string_view::npos) {
    *error = {bad, "the bytes are not UTF-8"};
    return false;
  }
  source_.assign(source);
  std::array<size_t, kMaxHugeNumbers> huge;
  size_t huge_count = 0;
  while (true) {
    const size_t number = ParseHiding({huge.data(), huge_count}, options, error);
    if (number == std::string_view::npos) break;
    if (huge_count == kMaxHugeNumbers) {
      *error = {number, "too many numbers out of range"};
      break;
    }
    huge[huge_count++] = number;
  }
  if (!error->message.empty()) nodes_.clear();
  return error->message.empty();
}

size_t Document::ParseHiding(absl::Span<const size_t> huge, const ParseOptions& options,
                             ParseError* error) {
  using Pool = rapidjson::MemoryPoolAllocator<>;
  using Reader = rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, Pool>;
  constexpr unsigned kStrict = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                               rapidjson::kParseNumbersAsStringsFlag;
  constexpr unsigned kRelaxed =
      kStrict | rapidjson::kParseCommentsFlag | rapidjson::kParseTrailingCommasFlag;
  constexpr size_t kStackBytes = 1024;  // two words for each of kMaxDepth levels, twice over

  nodes_.clear();
  decoded_.assign(source_.begin(), source_.end());
  decoded_.resize(source_.size() + kPadding, '\0');
  for (size_t begin : huge) {  // 0e00…, as long as the number was: what follows cannot join it
    const size_t end = NumberEnd(source_, begin);
    std::fill(decoded_.begin() + begin, decoded_.begin() + end, '0');
    decoded_[begin + 1] = 'e';
  }
  alignas(16) char buffer[2 * kStackBytes];
  Pool pool(buffer, sizeof(buffer));
  Reader reader(&pool, kStackBytes);
  Stream stream(decoded_.data());
  Builder builder(this, &stream, decoded_.data(), options);
  const rapidjson::ParseResult result = options.relaxed ? reader.Parse<kRelaxed>(stream, builder)
                                                        : reader.Parse<kStrict>(stream, builder);
  if (result.Code() == rapidjson::kParseErrorNumberTooBig) return result.Offset();
  if (!builder.error().empty()) {
    *error = {builder.error_offset(), builder.error()};
  } else if (result.IsError()) {
    *error = {std::min(result.Offset(), source_.size()), ErrorText(result.Code())};
  } else if (stream.Tell() != source_.size()) {  // RapidJSON takes a NUL byte for the end
    *error = {stream.Tell(), "a NUL byte"};
  }
  for (size_t begin : huge) {
    std::copy(source_.begin() + begin, source_.begin() + NumberEnd(source_, begin),
              decoded_.begin() + begin);
  }
  return std::string_view::npos;
}

std::string_view Document::Text(const Node& node) const {
  switch (node.type) {
    case Type::kString:
      return {decoded_.data() + node.begin + 1, node.size};
    case Type::kNumber:
    case Type::kBool:
      return {decoded_.data() + node.begin, node.size};
    default:
      return {};
  }
}

std::string_view Document::Key(const Node& node) const {
  if (node.key_size == 0) return {};
  return {decoded_.data() + node.key_begin + 1, node.key_size};
}

Type Value::type() const { return document_->nodes_[index_].type; }

std::string_view Value::text() const {
  return document_ == nullptr ? std::string_view() : document_->Text(document_->nodes_[index_]);
}

std::optional<int64_t> Value::Int() const {
  int64_t value = 0;
  if (!Is(Type::kNumber) || text() == "-0" || !ParseInt64(text(), &value)) return std::nullopt;
  return value;
}

std::optional<uint64_t> Value::Uint() const {
  uint64_t value = 0;
  if (!Is(Type::kNumber) || !ParseUint64(text(), &value)) return std::nullopt;
  return value;
}

std::string_view Value::key() const {
  return document_ == nullptr ? std::string_view() : document_->Key(document_->nodes_[index_]);
}
size_t Value::key_begin() const { return document_->nodes_[index_].key_begin; }
size_t Value::begin_offset() const { return document_->nodes_[index_].begin; }
size_t Value::end_offset() const {
  return type() == Type::kString ? StringEnd(document_->source_, begin_offset())
                                 : begin_offset() + document_->nodes_[index_].size;
}
std::string_view Value::source() const {
  return document_->source().substr(begin_offset(), end_offset() - begin_offset());
}
size_t Value::size() const { return document_ == nullptr ? 0 : document_->nodes_[index_].count; }

Value Value::operator[](std::string_view key) const {
  if (!Is(Type::kObject)) return {};
  for (Value member : members()) {
    if (member.key() == key) return member;
  }
  return {};
}

Value::Iterator& Value::Iterator::operator++() {
  index_ = document_->nodes_[index_].next;
  return *this;
}

Value::Iterator Value::begin_members() const {
  if (document_ == nullptr || (type() != Type::kArray && type() != Type::kObject)) {
    return end_members();
  }
  return {document_, index_ + 1};
}

Value::Iterator Value::end_members() const {
  return {document_, document_ == nullptr ? 0 : document_->nodes_[index_].next};
}

LineColumn Locate(std::string_view source, size_t offset) {
  const std::string_view before = source.substr(0, std::min(offset, source.size()));
  LineColumn at;
  at.line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t newline = before.rfind('\n');
  at.column = before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
  return at;
}

void AppendString(std::string* out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const bool valid = FindInvalidUtf8(text) == std::string_view::npos;
  out->push_back('"');
  size_t plain_from = 0;
  size_t at = 0;
  const auto flush = [&] { out->append(text.substr(plain_from, at - plain_from)); };
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x80 && !valid) {
      const size_t bad = FindInvalidUtf8(text.substr(at));
      if (bad != 0) {
        at = bad == std::string_view::npos ? text.size() : at + bad;
        continue;
      }
      flush();
      out->append("\xEF\xBF\xBD");
      plain_from = ++at;
    } else if (c < 0x20 || c == '"' || c == '\\' || c == 0x7F) {
      flush();
      switch (c) {
        case '"':
          out->append("\\\"");
          break;
        case '\\':
          out->append("\\\\");
          break;
        case '\n':
          out->append("\\n");
          break;
        case '\r':
          out->append("\\r");
          break;
        case '\t':
          out->append("\\t");
          break;
        default:
          out->append("\\u00");
          out->push_back(kHex[c >> 4]);
          out->push_back(kHex[c & 15]);
      }
      plain_from = ++at;
    } else {
      ++at;
    }
  }
  flush();
  out->push_back('"');
}

void Writer::Separate() {
  if (!first_ && !after_key_) out_->push_back(',');
  first_ = false;
  after_key_ = false;
}

Writer& Writer::Open(char bracket) {
  Separate();
  out_->push_back(bracket);
  first_ = true;
  return *this;
}

Writer& Writer::Close(char bracket) {
  out_->push_back(bracket);
  first_ = false;
  return *this;
}

Writer& Writer::Key(std::string_view key) {
  Separate();
  AppendString(out_, key);
  out_->push_back(':');
  after_key_ = true;
  return *this;
}

Writer& Writer::String(std::string_view text) {
  Separate();
  AppendString(out_, text);
  return *this;
}

Writer& Writer::Int(int64_t value) { return Raw(std::to_string(value)); }
Writer& Writer::Uint(uint64_t value) { return Raw(std::to_string(value)); }
Writer& Writer::Bool(bool value) { return Raw(value ? "true" : "false"); }
Writer& Writer::Null() { return Raw("null"); }

Writer& Writer::Raw(std::string_view json) {
  Separate();
  out_->append(json);
  return *this;
}

}  // namespace weir::json
