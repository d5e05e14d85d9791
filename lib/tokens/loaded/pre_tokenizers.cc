#include "tokens/loaded/pre_tokenizers.h"

namespace weir::tokens {
namespace {

// Turns the matches in a piece, in order, into pieces. Two of the behaviours join a part with a
// neighbour, so one part waits.
class Splitter {
 public:
  Splitter(const Piece& piece, SplitBehavior behavior, bool invert, PieceSink* sink)
      : piece_(piece), behavior_(behavior), invert_(invert), sink_(sink) {}

  void Match(size_t begin, size_t end) {
    Gap(begin);
    Part(begin, end, !invert_);
    done_ = end;
  }
  void Finish() {
    Gap(piece_.text.size());
    Release();
  }

 private:
  void Gap(size_t end) {
    if (done_ < end) Part(done_, end, invert_);
  }

  void Part(size_t begin, size_t end, bool match) {
    bool join = false;
    switch (behavior_) {
      case SplitBehavior::kIsolated:
        break;
      case SplitBehavior::kRemoved:
        if (match) return;
        break;
      case SplitBehavior::kContiguous:
        join = match == last_match_;
        break;
      case SplitBehavior::kMergedWithPrevious:
        join = match && !last_match_;
        break;
      case SplitBehavior::kMergedWithNext:
        join = !match && last_match_;
        break;
    }
    last_match_ = match;
    if (!join || !waits_) {
      Release();
      begin_ = begin;
    }
    end_ = end;
    waits_ = true;
  }

  void Release() {
    if (waits_) Emit(begin_, end_);
    waits_ = false;
  }

  void Emit(size_t begin, size_t end) {
    const size_t origin = piece_.origin > begin ? piece_.origin - begin : 0;
    sink_->Take({piece_.text.substr(begin, end - begin), origin});
  }

  const Piece& piece_;
  SplitBehavior behavior_;
  bool invert_;
  PieceSink* sink_;
  size_t done_ = 0;
  size_t begin_ = 0, end_ = 0;  // the part that waits
  bool waits_ = false;
  bool last_match_ = false;
};

void CutByLiteral(const Piece& piece, std::string_view literal, Splitter* splitter) {
  for (size_t at = piece.text.find(literal); at != std::string_view::npos;
       at = piece.text.find(literal, at + literal.size())) {
    splitter->Match(at, at + literal.size());
  }
  splitter->Finish();
}

void CutByPattern(const Piece& piece, const Pattern& pattern, Splitter* splitter) {
  PatternMatcher matcher(pattern, piece.text);
  for (size_t begin = 0, end = 0; matcher.Next(&begin, &end);) splitter->Match(begin, end);
  splitter->Finish();
}

}  // namespace

void SplitPreTokenizer::Cut(const Piece& piece, PieceSink* sink) const {
  Splitter splitter(piece, behavior_, invert_, sink);
  if (what_.pattern != nullptr) {
    CutByPattern(piece, *what_.pattern, &splitter);
  } else {
    CutByLiteral(piece, what_.literal, &splitter);
  }
}

void CharacterPreTokenizer::Cut(const Piece& piece, PieceSink* sink) const {
  Splitter splitter(piece, behavior_, false, sink);
  const char* const text = piece.text.data();
  for (size_t at = 0; at < piece.text.size();) {
    const CodePoint c = DecodeAt(text + at, text + piece.text.size());
    if (set_.Has(c.value)) splitter.Match(at, at + c.bytes);
    at += c.bytes;
  }
  splitter.Finish();
}

void ByteLevelPreTokenizer::Cut(const Piece& piece, PieceSink* sink) const {
  // Between the cutting and the next stage, if bytes become characters.
  class Mapper final : public PieceSink {
   public:
    explicit Mapper(PieceSink* sink) : sink_(sink) {}
    void Take(const Piece& part) override {
      text_.clear();
      AppendBytesAsCharacters(&text_, part.text);
      std::string head;
      AppendBytesAsCharacters(&head, part.text.substr(0, part.origin));
      sink_->Take({text_, head.size()});
    }

   private:
    PieceSink* sink_;
    std::string text_;
  };
  Mapper mapper(sink);
  PieceSink* const out = maps_ ? &mapper : sink;
  Piece whole = piece;
  std::string prefixed;
  if (add_prefix_space_ && piece.text.front() != ' ') {
    prefixed.reserve(piece.text.size() + 1);
    prefixed = ' ';
    prefixed += piece.text;
    whole.text = prefixed;
    if (whole.origin != 0) ++whole.origin;
  }
  if (pattern_ == nullptr) return out->Take(whole);
  Splitter splitter(whole, SplitBehavior::kIsolated, false, out);
  CutByPattern(whole, *pattern_, &splitter);
}

void MetaspacePreTokenizer::Cut(const Piece& piece, PieceSink* sink) const {
  std::string text;
  text.reserve(piece.text.size() + replacement_.size() + piece.text.size() / 2);
  const std::string_view given = piece.text;
  const bool starts = given.front() == ' ' || given.substr(0, replacement_.size()) == replacement_;
  const bool prepend =
      scheme_ == PrependScheme::kAlways || (scheme_ == PrependScheme::kFirst && piece.origin != 0);
  if (prepend && !starts) text += replacement_;
  for (size_t at = 0; at < given.size();) {
    const size_t space = given.find(' ', at);
    text += given.substr(at, space - at);
    if (space == std::string_view::npos) break;
    text += replacement_;
    at = space + 1;
  }
  const Piece whole = {text, piece.origin};
  if (!split_) return sink->Take(whole);
  Splitter splitter(whole, SplitBehavior::kMergedWithNext, false, sink);
  CutByLiteral(whole, replacement_, &splitter);
}

}  // namespace weir::tokens
