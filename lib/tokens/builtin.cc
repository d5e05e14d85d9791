// The built-in tokenizers: pieces by the window, whole-piece look-up, merging.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <new>

#include "tokens/bpe.h"
#include "tokens/builtin_specials.h"
#include "tokens/embedded_tables.h"
#include "tokens/long_piece.h"
#include "tokens/piece_cache.h"
#include "tokens/piece_window.h"
#include "tokens/pretokenizer.h"
#include "tokens/rank_table.h"
#include "tokens/utf8_class.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

std::atomic<bool> use_piece_cache{true};

// Tells whether pieces are tokens, and how many they are. One serves one call.
class PieceCounter {
 public:
  PieceCounter(const RankTable& table, PieceCache* cache, size_t limit)
      : table_(table), cache_(cache), limit_(limit) {}

  // kKeyReadBytes can be read at `bytes`.
  [[gnu::always_inline]] void Add(const char* bytes, size_t size) {
    if (size <= kMiddleBytes) [[likely]] {
      AddPart(bytes, size);
    } else {
      AddLong(bytes, size);
    }
  }
  bool Enough() const { return total_ > limit_; }
  size_t Total() {
    AddAllUnknown();
    return total_;
  }

 private:
  [[gnu::always_inline]] void AddPart(const char* bytes, size_t size) {
    if (size <= kShortBytes) [[likely]] {
      const PieceCache::Short key(bytes, size);
      const size_t count = cache_->Find(key);
      total_ += count;
      if (count == 0) [[unlikely]]
        AddUnknown(bytes, size);
    } else if (size <= kMiddleBytes) {
      const MiddleKey key = MiddleKeyOf(bytes, size);
      const uint64_t hash = HashMiddle(key);
      const size_t count = cache_->Find(key, hash);
      total_ += count;
      if (count == 0) [[unlikely]]
        AddUnknown(bytes, size);
    } else {
      AddLarge(bytes, size);
    }
  }

  [[gnu::noinline]] void AddUnknown(const char* bytes, size_t size) {
    Unknown& unknown = unknown_[unknown_count_++];
    std::memcpy(unknown.bytes.data(), bytes, kKeyReadBytes);
    unknown.size = size;
    if (size <= kShortBytes) {
      table_.PrefetchShort(HashWord(ShortKey(bytes, size)));
    } else {
      table_.PrefetchMiddle(HashMiddle(MiddleKeyOf(bytes, size)));
    }
    if (unknown_count_ == unknown_.size()) AddAllUnknown();
  }

  [[gnu::noinline]] void AddAllUnknown() {
    for (size_t i = 0; i < unknown_count_; ++i) {
      const char* const bytes = unknown_[i].bytes.data();
      const size_t size = unknown_[i].size;
      size_t count = 1;
      if (size <= kShortBytes) {
        const uint64_t key = ShortKey(bytes, size);
        if (table_.FindShort(key, HashWord(key)) == nullptr) count = Merge(bytes, size);
        cache_->Insert(PieceCache::Short(bytes, size), count);
      } else {
        const MiddleKey key = MiddleKeyOf(bytes, size);
        const uint64_t hash = HashMiddle(key);
        if (table_.FindMiddle(key, hash) == nullptr) count = Merge(bytes, size);
        cache_->Insert(key, hash, count);
      }
      total_ += count;
    }
    unknown_count_ = 0;
  }

  [[gnu::noinline]] void AddLong(const char* bytes, size_t size) {
    // One that cannot fit need not be merged.
    const size_t least = size / table_.max_token_bytes();
    if (least > limit_ - std::min(limit_, total_)) {
      total_ += least;
      return;
    }
    const bool cached = size <= PieceCache::kMaxPieceBytes;
    const uint64_t hash = cached ? HashLong(bytes, size) : 0;
    if (const size_t count = cached ? cache_->FindLong(bytes, size, hash) : 0) {
      total_ += count;
      return;
    }
    AddAllUnknown();
    const size_t before = total_;
    AddParts(bytes, size);
    AddAllUnknown();
    if (cached) cache_->InsertLong(bytes, size, hash, total_ - before);
  }

  void AddParts(const char* bytes, size_t size) {
    // Almost any two characters of ASCII are neighbours in some token.
    const bool is_ascii = static_cast<unsigned char>(bytes[size - 1]) < 0x80;
    if (is_ascii) return AddLarge(bytes, size);
    ForEachPart(table_, bytes, size, [this, end = bytes + size](const char* part, size_t n) {
      if (end - part >= static_cast<std::ptrdiff_t>(kKeyReadBytes)) return AddPart(part, n);
      // The text may end with the piece.
      std::array<char, kKeyReadBytes> padded = {};
      std::memcpy(padded.data(), part, n);
      AddPart(padded.data(), n);
    });
  }

  void AddLarge(const char* bytes, size_t size) {
    const bool whole = size <= table_.max_token_bytes() &&
                       table_.FindLong(bytes, size, HashLong(bytes, size)) != nullptr;
    total_ += whole ? 1 : Merge(bytes, size);
  }

  size_t Merge(const char* bytes, size_t size) {
    return MergePiece(table_, {bytes, size}, &merger_, nullptr);
  }

  // A piece of up to 15 bytes that the cache does not know. It waits for a few others, until what
  // the table says of it has come from memory.
  struct Unknown {
    std::array<char, kKeyReadBytes> bytes;
    size_t size;
  };

  const RankTable& table_;
  PieceCache* const cache_;
  std::array<Unknown, 8> unknown_;
  size_t unknown_count_ = 0;
  const size_t limit_;
  size_t total_ = 0;
  LongPieceMerger merger_;
};

// The same without a cache, and with the ids if they are asked for.
class PieceEncoder {
 public:
  PieceEncoder(const RankTable& table, std::vector<uint32_t>* ids, size_t limit)
      : table_(table), ids_(ids), limit_(limit) {}

  void Add(const char* bytes, size_t size) {
    if (const uint32_t* id = Find(bytes, size)) {
      if (ids_ != nullptr) ids_->push_back(*id);
      ++total_;
    } else {
      total_ += MergePiece(table_, {bytes, size}, &merger_, ids_);
    }
  }
  bool Enough() const { return total_ > limit_; }
  size_t Total() const { return total_; }

 private:
  const uint32_t* Find(const char* bytes, size_t size) const {
    if (size <= kShortBytes) {
      const uint64_t key = ShortKey(bytes, size);
      return table_.FindShort(key, HashWord(key));
    }
    if (size <= kMiddleBytes) {
      const MiddleKey key = MiddleKeyOf(bytes, size);
      return table_.FindMiddle(key, HashMiddle(key));
    }
    if (size > table_.max_token_bytes()) return nullptr;
    return table_.FindLong(bytes, size, HashLong(bytes, size));
  }

  const RankTable& table_;
  std::vector<uint32_t>* const ids_;
  const size_t limit_;
  size_t total_ = 0;
  LongPieceMerger merger_;
};

// A window needs 64 bytes, and the key of a piece that begins at its end 16 more.
constexpr size_t kReadBytes = kWindowBytes + kKeyReadBytes;

constexpr size_t kNoLimit = ~size_t{0};

// Hands the pieces of a text to a sink, until it has enough.
template <Pattern kPattern, typename Sink>
class Walk {
 public:
  Walk(MasksFunction masks_of, Sink* sink) : masks_of_(masks_of), sink_(sink) {}

  void Over(std::string_view text) {
    const char* const end = text.data() + text.size();
    const char* p = text.data();
    while (static_cast<size_t>(end - p) >= kReadBytes) {
      p = Step(p, static_cast<size_t>(end - p));
      if (sink_->Enough()) return;
    }
    // The last bytes, with room to read beyond them.
    std::array<char, 2 * kReadBytes> rest;
    const size_t left = static_cast<size_t>(end - p);
    if (left == 0) return;
    std::memcpy(rest.data(), p, left);
    std::memset(rest.data() + left, 0, rest.size() - left);
    for (const char *q = rest.data(), *rest_end = q + left; q < rest_end && !sink_->Enough();) {
      q = Step(q, static_cast<size_t>(rest_end - q));
    }
  }

 private:
  // The pieces at `p` of which a window is certain, or some; returns where they end. What is
  // readable goes kReadBytes on from every place before the end of the text.
  [[gnu::always_inline]] const char* Step(const char* p, size_t left) {
    if constexpr (kHasWindow<kPattern>) {
      const size_t size = std::min(left, kWindowBytes);
      const PieceWindow<kPattern> window(masks_of_, p, size, size == left);
      if (window.consumed() != 0) [[likely]] {
        size_t begin = 0;
        for (uint64_t rest = window.starts() & (window.starts() - 1); rest != 0; rest &= rest - 1) {
          const size_t at = static_cast<size_t>(std::countr_zero(rest));
          sink_->Add(p + begin, at - begin);
          begin = at;
        }
        sink_->Add(p + begin, window.consumed() - begin);
        return p + window.consumed();
      }
    }
    return Some(p, left);
  }

  // One piece, and as many more as lie in the next few bytes: what windows leave out comes in
  // groups.
  [[gnu::noinline]] const char* Some(const char* p, size_t left) {
    constexpr size_t kBytes = 32;
    const char* const begin = p;
    Pretokenizer<kPattern> pieces({p, left});
    while (static_cast<size_t>(p - begin) < kBytes && pieces.Next()) {
      const std::string_view piece = pieces.piece();
      if (pieces.maybe_ill_formed()) {
        lossy_.clear();
        AppendLossy(&lossy_, piece);
        const size_t size = lossy_.size();
        lossy_.append(kKeyReadBytes, '\0');
        sink_->Add(lossy_.data(), size);
      } else {
        sink_->Add(p, piece.size());
      }
      p += piece.size();
    }
    return p;
  }

  const MasksFunction masks_of_;
  Sink* const sink_;
  std::string lossy_;
};

template <Pattern kPattern>
class BuiltIn final : public Tokenizer {
 public:
  BuiltIn(std::string_view name, const unsigned char* table, PieceCache* cache,
          absl::Span<const SpecialToken> specials)
      : name_(name), table_(table), masks_of_(FastestMasks()), cache_(cache), specials_(specials) {}

  std::string_view name() const override { return name_; }
  size_t Count(std::string_view text) const override { return CountSome(text, kNoLimit); }
  size_t CountUpTo(std::string_view text, size_t limit) const override {
    // A token has no more than so many bytes, and what replaces ill-formed bytes is no shorter.
    const size_t least = text.size() / table_.max_token_bytes();
    return least > limit ? least : CountSome(text, limit);
  }
  size_t Encode(std::string_view text, std::vector<uint32_t>* ids) const override {
    PieceEncoder encoder(table_, ids, kNoLimit);
    Walk<kPattern, PieceEncoder>(masks_of_, &encoder).Over(text);
    return encoder.Total();
  }
  std::string_view TokenBytes(uint32_t id) const override { return table_.TokenBytes(id); }
  absl::Span<const SpecialToken> Specials() const override { return specials_; }
  size_t StableBytes(std::string_view text) const override {
    const size_t stable = StablePieces(text);
    constexpr size_t kWorthCutting = 4096;
    return stable != 0 || text.size() < kWorthCutting ? stable : FinalPieces<kPattern>(text);
  }
  std::unique_ptr<OpenPiece> OpenLongPiece() const override {
    return std::make_unique<LongPiece<kPattern>>(table_, *this);
  }

 private:
  size_t CountSome(std::string_view text, size_t limit) const {
    if (!use_piece_cache.load(std::memory_order_relaxed)) {
      PieceEncoder encoder(table_, nullptr, limit);
      Walk<kPattern, PieceEncoder>(masks_of_, &encoder).Over(text);
      return encoder.Total();
    }
    PieceCounter counter(table_, cache_, limit);
    Walk<kPattern, PieceCounter>(masks_of_, &counter).Over(text);
    return counter.Total();
  }

  const std::string_view name_;
  const RankTable table_;
  const MasksFunction masks_of_;
  PieceCache* const cache_;
  const absl::Span<const SpecialToken> specials_;
};

// Made in static memory at the first call and never destroyed: nothing runs when a process starts
// or ends, and threads that outlive main can go on counting. `kName` gives each encoding its own.
template <Pattern kPattern, const std::string_view& kName>
const Tokenizer* TheOne(const unsigned char* table, PieceCache* cache,
                        absl::Span<const SpecialToken> specials) {
  using T = BuiltIn<kPattern>;
  alignas(T) static unsigned char memory[sizeof(T)];
  static const T* const tokenizer = new (memory) T(kName, table, cache, specials);
  return tokenizer;
}

constexpr std::string_view kR50kBase = "r50k_base", kP50kBase = "p50k_base",
                           kP50kEdit = "p50k_edit", kCl100kBase = "cl100k_base",
                           kO200kBase = "o200k_base", kO200kHarmony = "o200k_harmony";

}  // namespace

void SetPieceCache(bool on) { use_piece_cache.store(on, std::memory_order_relaxed); }

const Tokenizer* Find(std::string_view encoding) {
#if WEIR_WITH_O200K
  static PieceCache o200k_cache;
  if (encoding == kO200kBase) {
    return TheOne<Pattern::kO200k, kO200kBase>(weir_tokens_o200k_base, &o200k_cache,
                                               kO200kSpecials);
  }
  if (encoding == kO200kHarmony) {
    return TheOne<Pattern::kO200k, kO200kHarmony>(weir_tokens_o200k_base, &o200k_cache,
                                                  HarmonySpecials());
  }
#endif
#if WEIR_WITH_CL100K
  static PieceCache cl100k_cache;
  if (encoding == kCl100kBase) {
    return TheOne<Pattern::kCl100k, kCl100kBase>(weir_tokens_cl100k_base, &cl100k_cache,
                                                 kCl100kSpecials);
  }
#endif
#if WEIR_WITH_P50K
  static PieceCache p50k_cache, r50k_cache;
  if (encoding == kP50kBase) {
    return TheOne<Pattern::kR50k, kP50kBase>(weir_tokens_p50k_base, &p50k_cache, kP50kSpecials);
  }
  if (encoding == kP50kEdit) {
    return TheOne<Pattern::kR50k, kP50kEdit>(weir_tokens_p50k_base, &p50k_cache, kP50kEditSpecials);
  }
  if (encoding == kR50kBase || encoding == "gpt2") {
    return TheOne<Pattern::kR50k, kR50kBase>(weir_tokens_r50k_base, &r50k_cache, kP50kSpecials);
  }
#endif
  return nullptr;
}

const Tokenizer& Default() {
#if !WEIR_WITH_O200K && !WEIR_WITH_CL100K
#error "WEIR_ENCODINGS must name o200k or cl100k: prompts are estimated with one of them"
#endif
  const Tokenizer* best = Find(kO200kBase);
  return best != nullptr ? *best : *Find(kCl100kBase);
}

std::vector<std::string_view> EncodingNames() {
  std::vector<std::string_view> names;
  for (const std::string_view name :
       {kCl100kBase, kO200kBase, kO200kHarmony, kP50kBase, kP50kEdit, kR50kBase}) {
    if (Find(name) != nullptr) names.push_back(name);
  }
  return names;
}

}  // namespace weir::tokens
