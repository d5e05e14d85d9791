// What every tokenizer can do with counting and encoding alone.

#include "weir/tokens.h"

#include <algorithm>

#include "base/text.h"

namespace weir::tokens {
namespace {

constexpr bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The last place at or before `at` where a character begins.
size_t CharacterBegin(std::string_view text, size_t at) {
  if (at >= text.size()) return text.size();
  // No character has more than three continuation bytes.
  for (size_t back = 0; back < 4 && back <= at; ++back) {
    if (!IsContinuation(text[at - back])) return at - back;
  }
  return at;
}

// The specials that begin at `at`, the longest of them; null when there is none.
const SpecialToken* SpecialAt(absl::Span<const SpecialToken> specials, std::string_view text,
                              size_t at) {
  const SpecialToken* longest = nullptr;
  for (const SpecialToken& special : specials) {
    if (text.compare(at, special.text.size(), special.text) != 0) continue;
    if (longest == nullptr || special.text.size() > longest->text.size()) longest = &special;
  }
  return longest;
}

// Which bytes a special can begin with.
std::string FirstBytes(absl::Span<const SpecialToken> specials) {
  std::string bytes;
  for (const SpecialToken& special : specials) {
    if (!special.text.empty() && bytes.find(special.text[0]) == std::string::npos) {
      bytes += special.text[0];
    }
  }
  return bytes;
}

// The end of the first `max_tokens` of `ids` in the text that they were made of; npos when the
// tokens' bytes are not the text's.
size_t EndOfTokens(const Tokenizer& tokenizer, absl::Span<const uint32_t> ids, size_t max_tokens,
                   size_t text_bytes) {
  size_t end = 0, total = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    total += tokenizer.TokenBytes(ids[i]).size();
    if (i < max_tokens) end = total;
  }
  return total == text_bytes ? end : std::string_view::npos;
}

// The longest beginning of at most `max_tokens`, when only counting can tell.
size_t SplitByCounting(const Tokenizer& tokenizer, std::string_view text, size_t max_tokens) {
  size_t fits = 0, above = text.size() + 1;
  while (above - fits > 1) {
    const size_t middle = fits + (above - fits) / 2;
    const bool is_fit =
        tokenizer.CountUpTo(text.substr(0, CharacterBegin(text, middle)), max_tokens) <= max_tokens;
    (is_fit ? fits : above) = middle;
  }
  return CharacterBegin(text, fits);
}

}  // namespace

size_t Tokenizer::CountUpTo(std::string_view text, size_t /*limit*/) const { return Count(text); }

absl::Span<const SpecialToken> Tokenizer::Specials() const { return {}; }

size_t Tokenizer::StableBytes(std::string_view /*text*/) const { return 0; }

std::unique_ptr<OpenPiece> Tokenizer::OpenLongPiece() const { return nullptr; }

size_t EncodeWithSpecials(const Tokenizer& tokenizer, std::string_view text,
                          std::vector<uint32_t>* ids) {
  const absl::Span<const SpecialToken> specials = tokenizer.Specials();
  const std::string first_bytes = FirstBytes(specials);
  const size_t before = ids->size();
  size_t begin = 0;
  for (size_t at = text.find_first_of(first_bytes); at != std::string_view::npos;) {
    const SpecialToken* special = SpecialAt(specials, text, at);
    if (special != nullptr) {
      tokenizer.Encode(text.substr(begin, at - begin), ids);
      ids->push_back(special->id);
      begin = at + special->text.size();
    }
    at = text.find_first_of(first_bytes, special != nullptr ? begin : at + 1);
  }
  tokenizer.Encode(text.substr(begin), ids);
  return ids->size() - before;
}

absl::StatusOr<std::string> Decode(const Tokenizer& tokenizer, absl::Span<const uint32_t> ids) {
  const absl::Span<const SpecialToken> specials = tokenizer.Specials();
  std::string text;
  for (const uint32_t id : ids) {
    std::string_view bytes = tokenizer.TokenBytes(id);
    if (bytes.empty()) {
      const auto special = std::find_if(specials.begin(), specials.end(),
                                        [id](const SpecialToken& s) { return s.id == id; });
      if (special == specials.end()) {
        return absl::InvalidArgumentError(
            Concat({"there is no token ", std::to_string(id), " in ", tokenizer.name()}));
      }
      bytes = special->text;
    }
    text.append(bytes);
  }
  return text;
}

size_t SplitAt(const Tokenizer& tokenizer, std::string_view text, size_t max_tokens) {
  constexpr size_t kUsualTokenBytes = 6, kSpare = 1024;
  std::vector<uint32_t> ids;
  size_t taken = std::min(text.size(), max_tokens);
  taken = std::min(text.size(), taken * kUsualTokenBytes + kSpare);
  for (;;) {
    size_t stable = taken == text.size() ? taken : tokenizer.StableBytes(text.substr(0, taken));
    if (stable == 0) stable = taken = text.size();
    ids.clear();
    tokenizer.Encode(text.substr(0, stable), &ids);
    if (ids.size() > max_tokens || taken == text.size()) {
      text = text.substr(0, stable);
      break;
    }
    taken = std::min(text.size(), taken * 2);
  }
  if (ids.size() <= max_tokens) return text.size();
  const size_t end = EndOfTokens(tokenizer, ids, max_tokens, text.size());
  if (end == std::string_view::npos) return SplitByCounting(tokenizer, text, max_tokens);
  size_t at = CharacterBegin(text, end);
  // What was cut off can have been the reason why a piece ended where it did.
  while (at > 0 && tokenizer.CountUpTo(text.substr(0, at), max_tokens) > max_tokens) {
    at = CharacterBegin(text, at - 1);
  }
  return at;
}

void Counter::Append(std::string_view bytes) {
  constexpr size_t kSlice = 4096;
  for (size_t at = 0; at < bytes.size(); at += kSlice) {
    kept_.append(bytes.substr(at, kSlice));
    if (kept_.size() >= settle_at_) Settle();
  }
}

size_t Counter::Total() const {
  if (piece_ != nullptr) return settled_ + piece_->Total(kept_);
  return settled_ + (kept_.empty() ? 0 : tokenizer_->Count(kept_));
}

void Counter::Settle() {
  constexpr size_t kLong = 4096;
  if (piece_ == nullptr) {
    const size_t stable = tokenizer_->StableBytes(kept_);
    settled_ += stable == 0 ? 0 : tokenizer_->Count(std::string_view(kept_).substr(0, stable));
    kept_.erase(0, stable);
    if (stable == 0 && kept_.size() >= kLong) piece_ = tokenizer_->OpenLongPiece();
  }
  if (piece_ != nullptr) TakePiece();
  // Without a piece twice what is kept, so that looking again and again at one stays linear.
  settle_at_ = piece_ != nullptr ? kLong : std::max(kLeastSettled, 2 * kept_.size());
}

void Counter::TakePiece() {
  kept_.erase(0, piece_->Take(kept_));
  if (!piece_->ended()) return;
  settled_ += piece_->Total({});
  piece_.reset();
}

}  // namespace weir::tokens
