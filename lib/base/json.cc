#include "base/json.h"

#include <algorithm>

#include "base/text.h"

namespace weir::json {

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

void Document::Swap(Document* other) noexcept {
  copy_.swap(other->copy_);
  std::swap(source_, other->source_);
  std::swap(decoded_, other->decoded_);
  nodes_.swap(other->nodes_);
}

Type Document::TypeOf(const Node& node) const {
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

bool Document::IsNested(const Node& node) const {
  return source_[node.begin] == '{' || source_[node.begin] == '[';
}

std::string_view Document::Text(const Node& node) const {
  switch (TypeOf(node)) {
    case Type::kString:
      // Every escape is longer than what it stands for.
      if (node.extent != node.size + 2) return {decoded_.bytes.get() + node.link, node.size};
      return source_.substr(node.begin + 1, node.size);
    case Type::kNumber:
    case Type::kBool:
      return source_.substr(node.begin, node.size);
    default:
      return {};
  }
}

uint32_t Document::Next(uint32_t index) const {
  return IsNested(nodes_[index]) ? nodes_[index].link : index + 1;
}

Type Value::type() const { return document_->TypeOf(document_->nodes_[index_]); }

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
  return keyed_ ? document_->Text(document_->nodes_[index_ - 1]) : std::string_view();
}
size_t Value::key_begin() const { return keyed_ ? document_->nodes_[index_ - 1].begin : 0; }
size_t Value::begin_offset() const { return document_->nodes_[index_].begin; }
size_t Value::end_offset() const {
  const Node& node = document_->nodes_[index_];
  return size_t{node.begin} + (type() == Type::kString ? node.extent : node.size);
}
std::string_view Value::source() const {
  return document_->source().substr(begin_offset(), end_offset() - begin_offset());
}

size_t Value::size() const {
  if (document_ == nullptr) return 0;
  const Node& node = document_->nodes_[index_];
  return document_->IsNested(node) ? node.extent : 0;
}

Value Value::operator[](std::string_view key) const {
  if (!Is(Type::kObject)) return {};
  for (Value member : members()) {
    if (member.key() == key) return member;
  }
  return {};
}

Value::Iterator& Value::Iterator::operator++() {
  index_ = document_->Next(index_) + (keyed_ ? 1 : 0);
  return *this;
}

Value::Iterator Value::begin_members() const {
  if (document_ == nullptr || !document_->IsNested(document_->nodes_[index_])) {
    return end_members();
  }
  const bool keyed = type() == Type::kObject;
  return {document_, index_ + (keyed ? 2 : 1), keyed};
}

Value::Iterator Value::end_members() const {
  if (document_ == nullptr) return {document_, 0, false};
  const bool keyed = type() == Type::kObject;
  return {document_, document_->Next(index_) + (keyed ? 1 : 0), keyed};
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
