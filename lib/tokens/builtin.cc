// The two built-in tokenizers: pre-tokenizer, whole-piece look-up, merging.

#include <new>

#include "tokens/bpe.h"
#include "tokens/embedded_tables.h"
#include "tokens/pretokenizer.h"
#include "tokens/rank_table.h"
#include "tokens/utf8_class.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

// What one call needs besides the table; allocates only for long pieces and ill-formed text.
struct Scratch {
  LongPieceMerger merger;
  std::string lossy;
};

size_t PieceTokens(const RankTable& table, std::string_view piece, const char* limit,
                   Scratch* scratch, std::vector<uint32_t>* ids) {
  if (const uint32_t* id = table.Find(piece.data(), piece.size(), limit)) [[likely]] {
    if (ids != nullptr) ids->push_back(*id);
    return 1;
  }
  return MergePiece(table, piece, &scratch->merger, ids);
}

template <Pattern kPattern>
class BuiltIn final : public Tokenizer {
 public:
  BuiltIn(std::string_view name, const unsigned char* table) : name_(name), table_(table) {}

  std::string_view name() const override { return name_; }
  size_t Count(std::string_view text) const override { return Run(text, nullptr); }
  size_t Encode(std::string_view text, std::vector<uint32_t>* ids) const override {
    return Run(text, ids);
  }
  std::string_view TokenBytes(uint32_t id) const override {
    const RankTable table(table_);
    return table.TokenBytes(id);
  }

 private:
  size_t Run(std::string_view text, std::vector<uint32_t>* ids) const {
    const RankTable table(table_);
    const char* const limit = text.data() + text.size();
    Scratch scratch;
    size_t total = 0;
    for (Pretokenizer<kPattern> pieces(text); pieces.Next();) {
      if (!pieces.maybe_ill_formed()) [[likely]] {
        total += PieceTokens(table, pieces.piece(), limit, &scratch, ids);
        continue;
      }
      std::string& lossy = scratch.lossy;
      lossy.clear();
      AppendLossy(&lossy, pieces.piece());
      total += PieceTokens(table, lossy, lossy.data() + lossy.size(), &scratch, ids);
    }
    return total;
  }

  std::string_view name_;
  const unsigned char* table_;
};

constexpr std::string_view kCl100kBase = "cl100k_base";
constexpr std::string_view kO200kBase = "o200k_base";

// Made in static memory at the first call and never destroyed: nothing runs when a process starts
// or ends, and threads that outlive main can go on counting.
template <Pattern kPattern>
const Tokenizer* TheOne(std::string_view name, const unsigned char* table) {
  using T = BuiltIn<kPattern>;
  alignas(T) static unsigned char memory[sizeof(T)];
  static const T* const tokenizer = new (memory) T(name, table);
  return tokenizer;
}

}  // namespace

const Tokenizer* Find(std::string_view encoding) {
  if (encoding == kO200kBase) return TheOne<Pattern::kO200k>(kO200kBase, weir_tokens_o200k_base);
  if (encoding == kCl100kBase) {
    return TheOne<Pattern::kCl100k>(kCl100kBase, weir_tokens_cl100k_base);
  }
  return nullptr;
}

std::vector<std::string_view> EncodingNames() { return {kCl100kBase, kO200kBase}; }

}  // namespace weir::tokens
