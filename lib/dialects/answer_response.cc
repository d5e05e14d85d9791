// Whole answers.

#include <utility>

#include "dialects/answer.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

// One entry for each choice, kind and part; pieces of the same follow each other.
class TextList final : public TextSink {
 public:
  explicit TextList(std::vector<std::string>* texts) : texts_(texts) {}

  void Text(const TextPiece& piece) override {
    const bool same = !texts_->empty() && piece.choice == last_.choice &&
                      piece.kind == last_.kind && piece.part == last_.part;
    if (!same) texts_->emplace_back();
    texts_->back().append(piece.text);
    last_ = piece;
  }

 private:
  std::vector<std::string>* texts_;
  TextPiece last_;
};

}  // namespace

Response ReadResponse(Dialect dialect, Operation operation, std::string_view body, TextSink* sink) {
  Response response;
  json::Document document;
  json::ParseError error;
  if (!document.Parse(body, kLenient, &error)) return response;
  const AnswerReader& reader = ReaderOf(dialect, operation);
  TextList texts(&response.texts);
  Answer::Event told;
  Answer answer(reader.convention);
  answer.set_sink(sink != nullptr ? sink : &texts);
  answer.set_event(&told);
  const Value root = document.root();
  if (root.Is(Type::kObject)) {
    reader.body(root, &answer);
  } else if (dialect == Dialect::kGemini && root.Is(Type::kArray)) {
    for (Value element : root.members()) {
      if (element.Is(Type::kObject)) reader.event("", element, &answer);
    }
  }
  response.usage = answer.usage();
  response.model = answer.model();
  response.finish_reason = answer.finish_reason();
  response.error = answer.failed();
  if (answer.error() != nullptr) response.error_info = *answer.error();
  return response;
}

}  // namespace weir::dialects
