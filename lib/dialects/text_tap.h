// A sink of text that lets it through: for those who look at what is told on its way.

#ifndef WEIR_LIB_DIALECTS_TEXT_TAP_H_
#define WEIR_LIB_DIALECTS_TEXT_TAP_H_

#include "weir/usage.h"

namespace weir::dialects {

class TextTap : public TextSink {
 public:
  virtual ~TextTap() = default;

  void Text(const TextPiece& piece) final {
    SeeText(piece);
    next_->Text(piece);
  }
  void set_next(TextSink* next) { next_ = next; }

 protected:
  virtual void SeeText(const TextPiece& /*piece*/) {}

 private:
  TextSink* next_ = nullptr;
};

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_TEXT_TAP_H_
