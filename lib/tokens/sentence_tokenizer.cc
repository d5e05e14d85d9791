// LoadSentencePiece: a SentenceModel as a Tokenizer.

#include <utility>

#include "absl/status/status.h"
#include "base/text.h"
#include "tokens/sentence_model.h"
#include "tokens/utf8_class.h"
#include "weir/tokenizer_files.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

class SentenceTokenizer final : public Tokenizer {
 public:
  SentenceTokenizer(std::string_view name, std::unique_ptr<SentenceModel> model)
      : name_(name), model_(std::move(model)) {}

  std::string_view name() const override { return name_; }
  size_t Count(std::string_view text) const override { return Run(text, nullptr); }
  size_t Encode(std::string_view text, std::vector<uint32_t>* ids) const override {
    return Run(text, ids);
  }
  std::string_view TokenBytes(uint32_t id) const override { return model_->TokenBytes(id); }

 private:
  size_t Run(std::string_view text, std::vector<uint32_t>* ids) const {
    if (FindInvalidUtf8(text) == std::string_view::npos) return model_->Encode(text, ids);
    std::string lossy;
    AppendLossy(&lossy, text);
    return model_->Encode(lossy, ids);
  }

  std::string name_;
  std::unique_ptr<SentenceModel> model_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadSentencePiece(std::string_view name,
                                                             std::string_view model_bytes) {
  if (!kHasSentencePiece) {
    return absl::UnimplementedError("weir was built without SentencePiece");
  }
  std::string error = CheckSentenceModel(model_bytes);
  if (error.empty()) {
    if (auto model = LoadSentenceModel(model_bytes, &error)) {
      return std::make_unique<SentenceTokenizer>(name, std::move(model));
    }
  }
  return absl::InvalidArgumentError(Concat({"not a SentencePiece model: ", error}));
}

}  // namespace weir::tokens
