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
  decoded_.Swap(&other->decoded_);
  nodes_.swap(other->nodes_);
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
  const uint32_t end = document_->nodes_[index_].link;
  for (uint32_t at = index_ + 1; at < end; at = document_->Next(at + 1)) {
    const Node& node = document_->nodes_[at];
    if (node.size == key.size() && document_->StringText(node) == key) {
      return {document_, at + 1, true};
    }
  }
  return {};
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
