// The pre-tokenizers of a tokenizer.json: stages that cut a text into pieces, one after another.
// Pieces flow through the stages one by one, so nothing is kept of a long text but the piece that
// is on its way in each stage.

#ifndef WEIR_LIB_TOKENS_LOADED_PRE_TOKENIZERS_H_
#define WEIR_LIB_TOKENS_LOADED_PRE_TOKENIZERS_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tokens/loaded/char_set.h"
#include "tokens/loaded/normalizers.h"
#include "tokens/loaded/pattern.h"

namespace weir::tokens {

struct Piece {
  std::string_view text;  // not empty
  size_t origin = 0;      // as of TextInWork
};

class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual void Take(const Piece& piece) = 0;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void Cut(const Piece& piece, PieceSink* sink) const = 0;
};

// What becomes of the parts of a text that matched (or, inverted, of those that did not).
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

class SplitPreTokenizer final : public PreTokenizer {
 public:
  SplitPreTokenizer(SearchFor what, SplitBehavior behavior, bool invert)
      : what_(std::move(what)), behavior_(behavior), invert_(invert) {}
  void Cut(const Piece& piece, PieceSink* sink) const override;

 private:
  SearchFor what_;
  SplitBehavior behavior_;
  bool invert_;
};

// Each character of a set is a match.
class CharacterPreTokenizer final : public PreTokenizer {
 public:
  CharacterPreTokenizer(CharSet set, SplitBehavior behavior)
      : set_(std::move(set)), behavior_(behavior) {}
  void Cut(const Piece& piece, PieceSink* sink) const override;

 private:
  CharSet set_;
  SplitBehavior behavior_;
};

class ByteLevelPreTokenizer final : public PreTokenizer {
 public:
  // `maps`: whether bytes become characters; not if the model reads bytes.
  ByteLevelPreTokenizer(bool add_prefix_space, std::unique_ptr<Pattern> pattern, bool maps)
      : add_prefix_space_(add_prefix_space), pattern_(std::move(pattern)), maps_(maps) {}
  void Cut(const Piece& piece, PieceSink* sink) const override;

 private:
  bool add_prefix_space_;
  std::unique_ptr<Pattern> pattern_;  // null: does not cut
  bool maps_;
};

enum class PrependScheme { kAlways, kFirst, kNever };

class MetaspacePreTokenizer final : public PreTokenizer {
 public:
  MetaspacePreTokenizer(std::string_view replacement, PrependScheme scheme, bool split)
      : replacement_(replacement), scheme_(scheme), split_(split) {}
  void Cut(const Piece& piece, PieceSink* sink) const override;

 private:
  std::string replacement_;
  PrependScheme scheme_;
  bool split_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_PRE_TOKENIZERS_H_
