// Reading the events of a stream by their likeness and by a parser, side by side.

#ifndef WEIR_TESTS_DIALECTS_TEMPLATE_TWIN_H_
#define WEIR_TESTS_DIALECTS_TEMPLATE_TWIN_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "dialects/answer_template.h"
#include "tests/dialects/support.h"

namespace weir::dialects::testing {

struct Told final : TextSink {
  void Text(const TextPiece& piece) override {
    empty_piece = empty_piece || piece.text.empty();
    const bool same = !pieces.empty() && pieces.back().choice == piece.choice &&
                      pieces.back().kind == piece.kind && pieces.back().part == piece.part;
    if (!same) pieces.push_back({piece.choice, piece.kind, piece.part, ""});
    pieces.back().text.append(piece.text);
  }
  std::vector<StreamReader::Delta> pieces;
  bool empty_piece = false;
};

struct Result {
  std::vector<std::string> pieces;
  bool finished = false, failed = false, done = false;
  std::string model, reason;
  Usage usage;
  bool operator==(const Result&) const = default;
};

// Both ways of reading the events of a stream, side by side.
class TwoReaders {
 public:
  explicit TwoReaders(const testing::Origin& origin)
      : reader_(ReaderOf(origin.dialect, origin.operation)),
        plain_(reader_.convention),
        quick_(reader_.convention) {
    plain_.set_sink(&plain_told_);
    quick_.set_sink(&quick_told_);
  }

  // Both read the event. True when the template was enough.
  bool Take(std::string_view name, std::string_view data) {
    const bool plain_read = Parse(name, data, &plain_, nullptr);
    const bool matched = template_.Read(name, data, &quick_);
    const bool quick_read = matched || Parse(name, data, &quick_, &template_);
    agreed_ = agreed_ && quick_read == plain_read && !plain_told_.empty_piece &&
              !quick_told_.empty_piece && State(plain_, plain_told_) == State(quick_, quick_told_);
    return matched;
  }
  // Whether they told the same after every event so far.
  bool agreed() const { return agreed_; }

 private:
  bool Parse(std::string_view name, std::string_view data, Answer* answer,
             AnswerTemplate* learner) {
    json::Document document;
    json::ParseError error;
    if (!document.Parse(data, kLenient, &error) || !document.root().Is(json::Type::kObject)) {
      return false;
    }
    Answer::Event told;
    answer->set_event(&told);
    reader_.event(name, document.root(), answer);
    answer->set_event(nullptr);
    if (learner != nullptr) learner->Learn(name, document, told);
    return true;
  }

  static Result State(const Answer& answer, const Told& told) {
    Result result;
    for (const auto& piece : told.pieces) {
      result.pieces.push_back(
          Concat({std::to_string(piece.choice), " ", std::to_string(static_cast<int>(piece.kind)),
                  " ", std::to_string(piece.part), " ", piece.text}));
    }
    result.finished = answer.finished();
    result.failed = answer.failed();
    result.done = answer.done();
    result.model = answer.model();
    result.reason = std::string(answer.finish_reason());
    result.usage = answer.usage();
    return result;
  }

  const AnswerReader& reader_;
  Answer plain_, quick_;
  Told plain_told_, quick_told_;
  AnswerTemplate template_;
  bool agreed_ = true;
};

}  // namespace weir::dialects::testing

#endif  // WEIR_TESTS_DIALECTS_TEMPLATE_TWIN_H_
