#include "metering/call_counts.h"

#include "base/saturating.h"

namespace weir::metering {

namespace {

using dialects::TextKind;
using dialects::TextPiece;

// A part of a word, behind which no token of built-in tokenizers goes on with a quote or a bracket.
bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

void CallCounts::AppendWrapped(std::string_view text) {
  constexpr size_t kMaxTail = 256;
  size_t words = text.size();
  while (words > 0 && !IsWord(text[words - 1])) --words;
  if (words > 0 || tail_.size() + text.size() > kMaxTail) {
    wrapped_.Append(tail_);
    wrapped_.Append(text.substr(0, words));
    tail_.clear();
  }
  tail_.append(text.substr(words));
}

void CallCounts::Begin(uint32_t part) {
  AppendWrapped(calls_ == 0 ? R"({"tool_uses":[{"recipient_name":"functions.)"
                            : R"(},{"recipient_name":"functions.)");
  before_ += name_.Total() + arguments_.Total();
  name_ = tokens::Counter(*tokenizer_);
  arguments_ = tokens::Counter(*tokenizer_);
  name_.Append(".");
  in_arguments_ = quoted_ = escaped_ = false;
  part_ = part;
  ++calls_;
}

void CallCounts::AppendCompact(std::string_view text) {
  size_t begun = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (escaped_) {
      escaped_ = false;
    } else if (quoted_ && c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      quoted_ = !quoted_;
    } else if (!quoted_ && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
      blanks_ = true;
      AppendWrapped(text.substr(begun, i - begun));
      begun = i + 1;
    }
  }
  AppendWrapped(text.substr(begun));
}

void CallCounts::Append(const TextPiece& piece) {
  bytes_ = SaturatingAdd<uint64_t>(bytes_, piece.text.size());
  if (!whole()) {
    name_ = tokens::Counter(*tokenizer_);
    arguments_ = tokens::Counter(*tokenizer_);
    wrapped_ = tokens::Counter(*tokenizer_);
    return;
  }
  const bool is_name = piece.kind == TextKind::kToolName;
  if (calls_ == 0 || piece.part != part_ || (is_name && in_arguments_)) Begin(piece.part);
  if (is_name) {
    name_.Append(piece.text);
    AppendWrapped(piece.text);
    return;
  }
  if (!in_arguments_) AppendWrapped(R"(","parameters":)");
  in_arguments_ = true;
  arguments_.Append(piece.text);
  AppendCompact(piece.text);
}

uint64_t CallCounts::Billed(const AnswerFrame& frame) const {
  if (calls_ == 0) return 0;
  if (frame.wrapper > 0 && (calls_ > 1 || blanks_)) {
    return frame.wrapper + wrapped_.Total() + tokenizer_->Count(tail_ + "}]}");
  }
  return before_ + name_.Total() + arguments_.Total() + calls_ * frame.call;
}

}  // namespace weir::metering
