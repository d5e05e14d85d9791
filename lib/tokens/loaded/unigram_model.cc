#include "tokens/loaded/unigram_model.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "tokens/loaded/code_points.h"

namespace weir::tokens {
namespace {

constexpr double kUnknownPenalty = 10;
// A longer piece is cut, so that 32 bits can number its bytes.
constexpr size_t kMaxPieceBytes = size_t{1} << 30;

}  // namespace

struct UnigramModel::Scratch final : ModelScratch {
  // The best way to a position: the token that ends there, and where it begins.
  struct Best {
    double score;
    uint32_t begin;
    uint32_t id;  // kNoToken: no way yet
  };
  std::vector<Best> best;  // by position
  std::vector<uint32_t> path;
};

UnigramModel::UnigramModel(UnigramParts parts) : parts_(std::move(parts)) {
  double lowest = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < parts_.tokens.size(); ++i) {
    trie_.Add(parts_.tokens.TextAt(i), parts_.tokens.IdAt(i));
  }
  for (const double score : parts_.scores) lowest = std::min(lowest, score);
  unknown_score_ = lowest - kUnknownPenalty;
}

std::unique_ptr<ModelScratch> UnigramModel::MakeScratch() const {
  return std::make_unique<Scratch>();
}

// Viterbi's algorithm, forward. Of equal scores the first that is found stays, and sums are made in
// the order of the format's own library, so that the same of two equal ways is chosen.
void UnigramModel::FindPath(std::string_view piece, Scratch* scratch) const {
  auto& best = scratch->best;
  best.assign(piece.size() + 1, {0, 0, kNoToken});
  const auto offer = [&best](size_t end, size_t begin, double score, uint32_t id) {
    Scratch::Best& there = best[end];
    if (there.id == kNoToken || score > there.score) {
      there = {score, static_cast<uint32_t>(begin), id};
    }
  };
  const char* const text = piece.data();
  for (size_t begin = 0; begin < piece.size();) {
    const size_t character = DecodeAt(text + begin, text + piece.size()).bytes;
    const double here = best[begin].score;
    bool has_character = false;
    uint32_t node = Trie::kRoot;
    for (size_t end = begin; end < piece.size();) {
      node = trie_.Step(node, static_cast<unsigned char>(text[end]));
      if (node == Trie::kNowhere) break;
      ++end;
      const uint32_t id = trie_.Value(node);
      if (id == Trie::kNoValue) continue;
      offer(end, begin, parts_.scores[id] + here, id);
      if (end - begin == character) has_character = true;
    }
    if (!has_character) offer(begin + character, begin, unknown_score_ + here, parts_.unknown);
    begin += character;
  }
}

void UnigramModel::Encode(std::string_view piece, ModelScratch* scratch, IdSink* sink) const {
  auto* const memory = static_cast<Scratch*>(scratch);
  while (piece.size() > kMaxPieceBytes) {
    size_t bytes = kMaxPieceBytes;
    while (IsContinuationByte(piece[bytes])) --bytes;
    EncodePart(piece.substr(0, bytes), memory, sink);
    piece.remove_prefix(bytes);
  }
  EncodePart(piece, memory, sink);
}

void UnigramModel::EncodePart(std::string_view piece, Scratch* scratch, IdSink* sink) const {
  FindPath(piece, scratch);
  auto& path = scratch->path;
  path.clear();
  for (auto end = static_cast<uint32_t>(piece.size()); end != 0; end = scratch->best[end].begin) {
    path.push_back(end);
  }
  uint32_t begin = 0;
  uint32_t unknown_begin = 0;  // where a run of unknown characters, which become one, began
  for (size_t i = path.size(); i-- > 0;) {
    const uint32_t end = path[i];
    const uint32_t id = scratch->best[end].id;
    if (id != parts_.unknown) {
      PutUnknown(piece.substr(unknown_begin, begin - unknown_begin), sink);
      sink->Put(id);
      unknown_begin = end;
    }
    begin = end;
  }
  PutUnknown(piece.substr(unknown_begin, begin - unknown_begin), sink);
}

void UnigramModel::PutUnknown(std::string_view text, IdSink* sink) const {
  if (text.empty()) return;
  // A run can happen to be a token, if that is less probable than its unknown characters.
  const uint32_t whole = parts_.tokens.Find(text);
  if (whole != kNoToken) return sink->Put(whole);
  const auto missing = [this](char byte) {
    return parts_.fallback[static_cast<unsigned char>(byte)] == kNoToken;
  };
  if (!parts_.byte_fallback || std::any_of(text.begin(), text.end(), missing)) {
    return sink->Put(parts_.unknown);
  }
  for (const char byte : text) sink->Put(parts_.fallback[static_cast<unsigned char>(byte)]);
}

}  // namespace weir::tokens
