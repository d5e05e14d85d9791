#include "tokens/loaded/loaded_tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "tokens/loaded/code_points.h"
#include "tokens/utf8_class.h"

namespace weir::tokens {
namespace {

// The end of the line: pieces become ids.
class ModelStage final : public PieceSink {
 public:
  ModelStage(const Model& model, IdSink* ids)
      : model_(model), scratch_(model.MakeScratch()), ids_(ids) {}
  void Take(const Piece& piece) override { model_.Encode(piece.text, scratch_.get(), ids_); }

 private:
  const Model& model_;
  std::unique_ptr<ModelScratch> scratch_;
  IdSink* ids_;
};

class CutStage final : public PieceSink {
 public:
  CutStage(const PreTokenizer* pre_tokenizer, PieceSink* next)
      : pre_tokenizer_(pre_tokenizer), next_(next) {}
  void Take(const Piece& piece) override { pre_tokenizer_->Cut(piece, next_); }

 private:
  const PreTokenizer* pre_tokenizer_;
  PieceSink* next_;
};

// One call's work on one text.
class Work {
 public:
  Work(const TokenizerParts& parts, IdSink* ids)
      : parts_(parts), ids_(ids), model_(*parts.model, ids), first_(&model_) {
    stages_.reserve(parts.pre_tokenizers.size());
    for (size_t i = parts.pre_tokenizers.size(); i-- > 0;) {
      stages_.emplace_back(parts.pre_tokenizers[i].get(), first_);
      first_ = &stages_.back();
    }
  }

  void Run(std::string_view text) {
    if (parts_.raw_tokens.empty()) return Normalize(text, 0);
    parts_.raw_tokens.Cut(text, [&](const AddedPart& part) {
      if (part.id != kNoToken) return ids_->Put(part.id);
      Normalize(text.substr(part.begin, part.end - part.begin), part.begin);
    });
  }

 private:
  // `begin`: where in the whole text `text` is.
  void Normalize(std::string_view text, size_t begin) {
    if (text.empty()) return;
    const size_t origin = begin != 0 ? 0 : DecodeAt(text.data(), text.data() + text.size()).bytes;
    if (parts_.normalizers.empty()) return CutUp(text, origin);
    TextInWork work;
    work.text = text;
    work.origin = origin;
    for (const auto& normalizer : parts_.normalizers) {
      if (work.text.empty()) return;
      normalizer->Apply(&work);
    }
    if (!work.text.empty()) CutUp(work.text, work.origin);
  }

  void CutUp(std::string_view text, size_t origin) {
    if (parts_.normalized_tokens.empty()) return first_->Take({text, origin});
    parts_.normalized_tokens.Cut(text, [&](const AddedPart& part) {
      if (part.id != kNoToken) return ids_->Put(part.id);
      if (part.begin == part.end) return;
      first_->Take({text.substr(part.begin, part.end - part.begin),
                    origin > part.begin ? origin - part.begin : 0});
    });
  }

  const TokenizerParts& parts_;
  IdSink* ids_;
  ModelStage model_;
  std::vector<CutStage> stages_;  // never grows, since each points to the next
  PieceSink* first_;
};

}  // namespace

size_t LoadedTokenizer::Run(std::string_view text, std::vector<uint32_t>* ids) const {
  IdSink sink(ids);
  if (text.empty()) return 0;
  Work work(parts_, &sink);
  if (FindInvalidUtf8(text) == std::string_view::npos) {
    work.Run(text);
  } else {
    std::string lossy;
    AppendLossy(&lossy, text);
    work.Run(lossy);
  }
  return sink.count();
}

}  // namespace weir::tokens
