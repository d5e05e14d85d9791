// Adds up the parts of a prompt.

#ifndef WEIR_LIB_METERING_PROMPT_TALLY_H_
#define WEIR_LIB_METERING_PROMPT_TALLY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "weir/prompt_meter.h"
#include "weir/tokens.h"
#include "weir/usage.h"

namespace weir::metering {

// Where in a request a part stands; becomes text only when the parts are asked for.
struct Place {
  static constexpr size_t kNone = static_cast<size_t>(-1);

  std::string_view list{};   // "messages"
  size_t index = kNone;      // [2]
  std::string_view field{};  // .content
  size_t item = kNone;       // [1]

  Place At(std::string_view inner, size_t inner_item = kNone) const {
    return {list, index, inner, inner_item};
  }
};
std::string PlaceText(const Place& place);

class Tally {
 public:
  // `model_known`: texts are counted by the model's own tokenizer.
  Tally(const tokens::Tokenizer& tokenizer, bool model_known, const PromptOptions& options)
      : tokenizer_(tokenizer), model_known_(model_known), options_(options) {}

  // The count is above the limit: what comes need not be counted.
  bool full() const { return prompt_.count > options_.limit; }

  // The tokens of a text; not more of them than the limit needs.
  uint64_t Text(std::string_view text) const;

  void Add(PromptPart::Kind kind, const Place& place, uint64_t count,
           dialects::Provenance provenance = dialects::Provenance::kExact);

  PromptCount Take() { return std::move(prompt_); }

 private:
  const tokens::Tokenizer& tokenizer_;
  bool model_known_;
  PromptOptions options_;
  PromptCount prompt_;
};

// The weaker of two.
dialects::Provenance Weaker(dialects::Provenance a, dialects::Provenance b);

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_PROMPT_TALLY_H_
