// weir_lexical_embed, weir_meaning_*: texts compared, for those who have a cache of their own.

#include "weir/meaning.h"

#include <algorithm>
#include <cstring>

#include "absl/types/span.h"
#include "guard.h"

namespace {

using weir::capi::Fail;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::View;
using weir::meaning::Features;
using weir::meaning::LexicalEmbedder;

static_assert(static_cast<int>(weir::meaning::Guard::kLength) == WEIR_GUARD_LENGTH);
static_assert(weir::meaning::kGuards == WEIR_GUARD_LENGTH + 1);
static_assert(weir::meaning::kAllGuards == WEIR_GUARDS_ALL);
static_assert(sizeof(weir_meaning_verdict::asked) == weir::meaning::kMaxPieceBytes);

void WritePiece(std::string_view piece, char* to, uint32_t* size) {
  const size_t bytes = std::min(piece.size(), weir::meaning::kMaxPieceBytes);
  if (bytes != 0) std::memcpy(to, piece.data(), bytes);
  *size = static_cast<uint32_t>(bytes);
}

}  // namespace

weir_status weir_lexical_embed(const char* text, size_t text_size, float* vector,
                               size_t vector_size, weir_error* error) {
  if (!IsText(text, text_size) || vector == nullptr) return NullArgument(error);
  if (vector_size < LexicalEmbedder::kMinDimension ||
      vector_size > LexicalEmbedder::kMaxDimension) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "a lexical vector has 64 to 4096 floats");
  }
  return weir::capi::Guard(error, [&]() -> weir_status {
    const bool has_words =
        LexicalEmbedder().Embed(View(text, text_size), absl::MakeSpan(vector, vector_size));
    return has_words ? WEIR_OK : Fail(error, WEIR_NOT_FOUND, "the text has no word");
  });
}

weir_status weir_meaning_compare(const char* asked, size_t asked_size, const char* stored,
                                 size_t stored_size, uint32_t guards, weir_meaning_verdict* verdict,
                                 weir_error* error) {
  if (!IsText(asked, asked_size) || !IsText(stored, stored_size) || verdict == nullptr) {
    return NullArgument(error);
  }
  if (verdict->size < offsetof(weir_meaning_verdict, asked_size)) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "verdict->size has no room for the verdict");
  }
  if ((guards & ~weir::meaning::kAllGuards) != 0) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "guards has a bit that is no guard");
  }
  return weir::capi::Guard(error, [&]() -> weir_status {
    const Features one = Features::Of(View(asked, asked_size));
    const Features other = Features::Of(View(stored, stored_size));
    const weir::meaning::Verdict told =
        weir::meaning::Compare(one, other, guards != 0 ? guards : weir::meaning::kDefaultGuards);
    weir_meaning_verdict full = {};
    full.allowed = told.allowed ? 1 : 0;
    full.guard = -1;
    if (!told.allowed) {
      full.guard = static_cast<int32_t>(told.guard);
      WritePiece(told.asked, full.asked, &full.asked_size);
      WritePiece(told.stored, full.stored, &full.stored_size);
    }
    weir::capi::WriteSized(full, verdict);
    return WEIR_OK;
  });
}

weir_status weir_meaning_guard_name(int32_t guard, const char** name, size_t* name_size) {
  if (name == nullptr || name_size == nullptr) return WEIR_INVALID_ARGUMENT;
  if (guard < 0 || guard >= weir::meaning::kGuards) return WEIR_OUT_OF_RANGE;
  const std::string_view found = weir::meaning::GuardName(static_cast<weir::meaning::Guard>(guard));
  *name = found.data();
  *name_size = found.size();
  return WEIR_OK;
}
