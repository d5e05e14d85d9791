#include "metering/answer_frame.h"

#include <algorithm>
#include <iterator>

namespace weir::metering {
namespace {

using dialects::Dialect;
using dialects::Operation;

// The GPT-3.5 and GPT-4 of before November 2023, which cannot call several functions at once.
bool CallsOneByOne(std::string_view model) {
  constexpr std::string_view kLater[] = {"-1106", "-0125", "-turbo-2024", "-vision"};
  if (model.find("-0613") != std::string_view::npos) return true;
  if (model.find("-0314") != std::string_view::npos) return true;
  const bool later = std::any_of(std::begin(kLater), std::end(kLater), [&](std::string_view mark) {
    return model.find(mark) != std::string_view::npos;
  });
  const size_t four = model.rfind("gpt-4");
  return !later && four != std::string_view::npos &&
         model.substr(four).substr(0, 11) != "gpt-4-turbo";
}

AnswerFrame OfTurbo(std::string_view model, bool tools) {
  AnswerFrame frame;
  frame.texts_exact = !tools;  // no such bill was seen
  frame.calls_exact = true;
  frame.call = CallsOneByOne(model) ? 4 : 7;
  frame.wrapper = CallsOneByOne(model) ? 0 : 10;
  return frame;
}

// Channels have names; thoughts have one of their own, and how many there are is not shown.
AnswerFrame OfHarmony(uint8_t end) {
  AnswerFrame frame;
  frame.text = 3;
  frame.call = 10;
  frame.end = end;
  frame.texts_exact = false;
  return frame;
}

}  // namespace

AnswerFrame AnswerFrameOf(const Family& family, std::string_view model, Dialect dialect,
                          Operation operation, bool tools) {
  AnswerFrame frame;
  if (operation == Operation::kCompletions) return frame;
  const bool ends = operation == Operation::kResponses || dialect == Dialect::kAzureOpenAi;
  const uint8_t end = ends ? 1 : 0;
  switch (family.rendering) {
    case Rendering::kTurbo:
      return OfTurbo(model, tools);
    case Rendering::kOmni:
      frame.text = tools ? 1 : 0;
      frame.call = 7;
      frame.wrapper = 10;
      frame.end = end;
      frame.calls_exact = true;
      return frame;
    case Rendering::kHarmony:
      return OfHarmony(end);
    case Rendering::kOSeries:
    case Rendering::kClaude:
    case Rendering::kGemini:
    case Rendering::kGrok:
    case Rendering::kOther:
      break;
  }
  frame.texts_exact = false;
  return frame;
}

bool IsCutShort(std::string_view finish_reason) {
  constexpr std::string_view kReasons[] = {"length",     "max_tokens",      "max_output_tokens",
                                           "MAX_TOKENS", "model_length",    "incomplete",
                                           "",           "content_filtered"};
  return std::find(std::begin(kReasons), std::end(kReasons), finish_reason) != std::end(kReasons);
}

}  // namespace weir::metering
