#include "tokens/loaded/bpe_model.h"

#include <utility>

#include "tokens/loaded/code_points.h"

namespace weir::tokens {
namespace {

// Longer tokens are found by merging alone.
constexpr size_t kMaxWholeBytes = 64;
// A longer piece is cut, so that 31 bits can number its bytes.
constexpr size_t kMaxPieceBytes = size_t{1} << 30;
constexpr uint32_t kNotPlain = uint32_t{1} << 31;

size_t CharacterBytes(std::string_view text, size_t at) {
  return DecodeAt(text.data() + at, text.data() + text.size()).bytes;
}

}  // namespace

struct BpeModel::Scratch final : ModelScratch {
  // The symbols of a piece. Where in it one begins, kNotPlain set if it is not the token of the
  // character there.
  std::vector<uint32_t> symbols, begins;
  std::vector<uint32_t> stretch;
  MergeScratch merge;
};

// Appends the symbols of a piece, character by character (or byte by byte).
class BpeModel::SymbolReader {
 public:
  SymbolReader(const BpeModel& model, std::string_view piece, Scratch* scratch)
      : model_(model), piece_(piece), scratch_(scratch) {}

  void ReadAll() {
    scratch_->symbols.clear();
    scratch_->begins.clear();
    while (at_ < piece_.size()) ReadOne();
    Release();
  }

 private:
  void Put(uint32_t symbol, size_t begin, uint32_t flag) {
    scratch_->symbols.push_back(symbol);
    scratch_->begins.push_back(static_cast<uint32_t>(begin) | flag);
  }

  void ReadOne() {
    const BpeParts& parts = model_.parts_;
    const size_t begin = at_;
    at_ += parts.by_bytes ? 1 : CharacterBytes(piece_, at_);
    const std::string_view character = piece_.substr(begin, at_ - begin);
    const uint32_t symbol = model_.SymbolOf(character, begin == 0, at_ == piece_.size());
    if (symbol != kNoToken) {
      Release();
      Put(symbol, begin, 0);
    } else if (!parts.byte_fallback || !FallBack(character, begin)) {
      if (parts.unknown == kNoToken) return;
      if (!parts.fuse_unknown) Release();
      holds_unknown_ = true;
    }
  }

  // An unknown character is held back, since the next may be fused with it.
  void Release() {
    if (holds_unknown_) Put(model_.parts_.unknown, at_, kNotPlain);
    holds_unknown_ = false;
  }

  // All of the character's bytes (with its affixes), or none. Does not release what is held back:
  // that is how the format's own library does it.
  bool FallBack(std::string_view character, size_t begin) {
    const BpeParts& parts = model_.parts_;
    const std::string_view all[] = {
        begin == 0 ? std::string_view() : std::string_view(parts.prefix), character,
        at_ < piece_.size() ? std::string_view() : std::string_view(parts.suffix)};
    for (const std::string_view part : all) {
      for (const char byte : part) {
        if (parts.fallback[static_cast<unsigned char>(byte)] == kNoToken) return false;
      }
    }
    for (const std::string_view part : all) {
      for (const char byte : part) {
        Put(parts.fallback[static_cast<unsigned char>(byte)], begin, kNotPlain);
      }
    }
    return true;
  }

  const BpeModel& model_;
  std::string_view piece_;
  Scratch* scratch_;
  size_t at_ = 0;
  bool holds_unknown_ = false;
};

BpeModel::BpeModel(BpeParts parts) : parts_(std::move(parts)) {
  affixes_ = !parts_.prefix.empty() || !parts_.suffix.empty();
  FindSymbols();
  if (!parts_.ignore_merges && !affixes_) FindWholes();
}

std::unique_ptr<ModelScratch> BpeModel::MakeScratch() const { return std::make_unique<Scratch>(); }

void BpeModel::FindSymbols() {
  byte_symbols_.fill(kNoToken);
  if (affixes_) return parts_.merges.Freeze({});  // a symbol is then looked up with its affixes
  std::vector<uint32_t> symbols;
  for (size_t i = 0; i < parts_.tokens.size(); ++i) {
    std::string_view text = parts_.tokens.TextAt(i);
    const uint32_t id = parts_.tokens.IdAt(i);
    if (!text.empty() && text.size() == (parts_.by_bytes ? 1 : CharacterBytes(text, 0))) {
      symbols.push_back(id);
      const auto byte = static_cast<unsigned char>(text[0]);
      if (parts_.by_bytes || byte < 0x80) {
        byte_symbols_[byte] = id;
      } else {
        character_symbols_.Add(text, id);
      }
    }
  }
  if (parts_.byte_fallback) {
    for (const uint32_t id : parts_.fallback) {
      if (id != kNoToken) symbols.push_back(id);
    }
  }
  if (parts_.unknown != kNoToken) symbols.push_back(parts_.unknown);
  parts_.merges.Freeze(symbols);
}

// Which tokens merging makes of their own text: those need not be merged again.
void BpeModel::FindWholes() {
  Scratch scratch;
  std::vector<uint32_t> ids;
  wholes_.Reserve(parts_.tokens.size());
  // Into a table of its own, since Encode asks wholes_.
  std::vector<size_t> found;
  found.reserve(parts_.tokens.size());
  for (size_t i = 0; i < parts_.tokens.size(); ++i) {
    const std::string_view text = parts_.tokens.TextAt(i);
    if (text.empty() || text.size() > kMaxWholeBytes) continue;
    ids.clear();
    IdSink sink(&ids);
    Encode(text, &scratch, &sink);
    if (ids.size() == 1 && ids[0] == parts_.tokens.IdAt(i)) found.push_back(i);
  }
  for (const size_t i : found) wholes_.Add(parts_.tokens.TextAt(i), parts_.tokens.IdAt(i));
}

uint32_t BpeModel::SymbolOf(std::string_view character, bool first, bool last) const {
  if (affixes_) {
    std::string affixed;
    if (!first) affixed = parts_.prefix;
    affixed += character;
    if (last) affixed += parts_.suffix;
    return parts_.tokens.Find(affixed);
  }
  if (character.size() == 1) return byte_symbols_[static_cast<unsigned char>(character[0])];
  return character_symbols_.Find(character);
}

void BpeModel::Encode(std::string_view piece, ModelScratch* scratch, IdSink* sink) const {
  const uint32_t whole = (parts_.ignore_merges ? parts_.tokens : wholes_).Find(piece);
  if (whole != kNoToken) return sink->Put(whole);
  auto* const memory = static_cast<Scratch*>(scratch);
  while (piece.size() > kMaxPieceBytes) {
    size_t bytes = kMaxPieceBytes;
    while (!parts_.by_bytes && IsContinuationByte(piece[bytes])) --bytes;
    EncodeSymbols(piece.substr(0, bytes), memory, sink);
    piece.remove_prefix(bytes);
  }
  EncodeSymbols(piece, memory, sink);
}

// Cuts the symbols where no merge can reach across, and merges each stretch by itself.
void BpeModel::EncodeSymbols(std::string_view piece, Scratch* scratch, IdSink* sink) const {
  SymbolReader(*this, piece, scratch).ReadAll();
  const std::vector<uint32_t>& symbols = scratch->symbols;
  const std::vector<uint32_t>& begins = scratch->begins;
  for (size_t first = 0, last = 0; first < symbols.size(); first = last) {
    uint32_t flags = begins[first];
    for (last = first + 1; last < symbols.size(); ++last) {
      if (!parts_.merges.MayCross(symbols[last - 1], symbols[last])) break;
      flags |= begins[last];
    }
    if (last - first == 1) {
      sink->Put(symbols[first]);
      continue;
    }
    const bool all = first == 0 && last == symbols.size();  // Encode has looked already
    if (!all && (flags & kNotPlain) == 0) {
      const size_t end = last < symbols.size() ? begins[last] & ~kNotPlain : piece.size();
      const uint32_t whole = wholes_.Find(piece.substr(begins[first], end - begins[first]));
      if (whole != kNoToken) {
        sink->Put(whole);
        continue;
      }
    }
    scratch->stretch.assign(symbols.begin() + static_cast<std::ptrdiff_t>(first),
                            symbols.begin() + static_cast<std::ptrdiff_t>(last));
    parts_.merges.Apply(&scratch->stretch, &scratch->merge);
    for (const uint32_t id : scratch->stretch) sink->Put(id);
  }
}

}  // namespace weir::tokens
