// The only file that sees SentencePiece (sentence_model.h says why).

#include "tokens/sentence_model.h"

#if WEIR_WITH_SENTENCEPIECE

#include <sentencepiece_processor.h>

#include <exception>
#include <limits>
#include <mutex>

// Exported by the library but in none of its installed headers; weak, in case that changes.
namespace sentencepiece::logging {
__attribute__((weak)) int GetMinLogLevel();
__attribute__((weak)) void SetMinLogLevel(int level);
}  // namespace sentencepiece::logging

namespace weir::tokens {
namespace {

// SentencePiece writes its complaints about a model to stderr; a library has no business there. The
// level is the process's, so it is put back, and loads take turns.
class QuietLog {
 public:
  QuietLog() : lock_(mutex_) {
    if (sentencepiece::logging::SetMinLogLevel == nullptr) return;
    if (sentencepiece::logging::GetMinLogLevel == nullptr) return;
    level_ = sentencepiece::logging::GetMinLogLevel();
    constexpr int kFatal = 3;
    sentencepiece::logging::SetMinLogLevel(kFatal);
  }
  ~QuietLog() {
    if (sentencepiece::logging::SetMinLogLevel == nullptr) return;
    if (sentencepiece::logging::GetMinLogLevel == nullptr) return;
    sentencepiece::logging::SetMinLogLevel(level_);
  }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 private:
  static inline std::mutex mutex_;
  std::lock_guard<std::mutex> lock_;
  int level_ = 0;
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "<0x41>" -> "A"; U+2581, which stands for a space, -> " ".
std::string PieceBytes(const std::string& piece, bool is_byte) {
  if (is_byte && piece.size() == 6 && piece.compare(0, 3, "<0x") == 0 && piece[5] == '>') {
    const int high = HexDigit(piece[3]), low = HexDigit(piece[4]);
    if (high >= 0 && low >= 0) return std::string(1, static_cast<char>(high * 16 + low));
  }
  constexpr std::string_view kSpace = "\xE2\x96\x81";
  std::string bytes;
  for (std::string_view rest = piece; !rest.empty();) {
    const size_t text = rest.find(kSpace);
    bytes.append(rest.substr(0, text));
    if (text == std::string_view::npos) break;
    bytes.push_back(' ');
    rest.remove_prefix(text + kSpace.size());
  }
  return bytes;
}

class Model final : public SentenceModel {
 public:
  bool Load(std::string_view model, std::string* error) {
    const QuietLog quiet;
    const auto status = processor_.LoadFromSerializedProto(model);
    if (!status.ok()) {
      *error = status.error_message();
      return false;
    }
    const int size = processor_.GetPieceSize();
    for (int id = 0; id < size; ++id) {
      pieces_.push_back(PieceBytes(processor_.IdToPiece(id), processor_.IsByte(id)));
    }
    unknown_ = static_cast<uint32_t>(processor_.unk_id());
    return true;
  }

  size_t Encode(std::string_view text, std::vector<uint32_t>* ids) const override {
    std::vector<int> found;
    if (!TryEncode(text, &found)) {
      // Never too few: a limiter must not be passed for free.
      if (ids != nullptr) ids->insert(ids->end(), text.size(), unknown_);
      return text.size();
    }
    if (ids != nullptr) ids->insert(ids->end(), found.begin(), found.end());
    return found.size();
  }

  std::string_view TokenBytes(uint32_t id) const override {
    if (id >= pieces_.size()) return {};
    return pieces_[id];
  }

 private:
  bool TryEncode(std::string_view text, std::vector<int>* ids) const {
    // The library counts in int, after a normalization that can make text longer.
    if (text.size() > std::numeric_limits<int>::max() / 64) return false;
    try {
      return processor_.Encode(text, ids).ok();
    } catch (const std::exception&) {
      return false;
    }
  }

  sentencepiece::SentencePieceProcessor processor_;
  std::vector<std::string> pieces_;
  uint32_t unknown_ = 0;
};

}  // namespace

const bool kHasSentencePiece = true;

std::unique_ptr<SentenceModel> LoadSentenceModel(std::string_view model, std::string* error) {
  try {
    auto loaded = std::make_unique<Model>();
    if (!loaded->Load(model, error)) return nullptr;
    return loaded;
  } catch (const std::exception& thrown) {
    *error = thrown.what();
    return nullptr;
  }
}

}  // namespace weir::tokens

#else

namespace weir::tokens {

const bool kHasSentencePiece = false;

std::unique_ptr<SentenceModel> LoadSentenceModel(std::string_view, std::string* error) {
  *error = "this build has no SentencePiece";
  return nullptr;
}

}  // namespace weir::tokens

#endif  // WEIR_WITH_SENTENCEPIECE
