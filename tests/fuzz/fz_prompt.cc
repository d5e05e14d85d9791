// Any body as a request of every dialect and operation: counted or refused, within bounds.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "metering/image_size.h"
#include "weir/prompt_meter.h"
#include "weir/tokens.h"

namespace {

using weir::dialects::Dialect;
using weir::dialects::Operation;

// Ends the process when what must hold does not: that is how a fuzzer is told.
void Require(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const weir::tokens::Tokenizer& tokenizer = *weir::tokens::Find("o200k_base");
  constexpr std::string_view kModels[] = {"gpt-4o", "gpt-5-mini", "claude-sonnet-4-5", "else"};
  for (const Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kGemini}) {
    for (const Operation operation : {Operation::kChat, Operation::kResponses,
                                      Operation::kCompletions, Operation::kEmbeddings}) {
      for (const std::string_view model : kModels) {
        weir::metering::PromptOptions options;
        options.with_parts = true;
        const auto all =
            weir::metering::CountPrompt(dialect, operation, model, tokenizer, true, body, options);
        if (!all.ok()) return 0;
        uint64_t sum = 0;
        for (const auto& part : all->parts) sum += part.count;
        Require(sum == all->count);
        options.limit = all->count / 2;
        const auto some =
            weir::metering::CountPrompt(dialect, operation, model, tokenizer, true, body, options);
        Require(some.ok() && (all->count == 0 || some->count > options.limit));
      }
    }
  }
  if (const auto file = weir::metering::DataUrlBytes(body)) {
    const auto image = weir::metering::ReadImageSize(*file);
    Require(!image || (image->width > 0 && image->height > 0));
  }
  return 0;
}
