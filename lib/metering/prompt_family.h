// What the families of models do with a request: one table.

#ifndef WEIR_LIB_METERING_PROMPT_FAMILY_H_
#define WEIR_LIB_METERING_PROMPT_FAMILY_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "metering/image_size.h"

namespace weir::metering {

// How the prompt is written out for the model.
enum class Rendering : uint8_t {
  kTurbo,    // GPT-3.5 and GPT-4, cl100k_base
  kOmni,     // GPT-4o, 4.1 and 4.5, o200k_base
  kOSeries,  // o1, o3, o4-mini
  kHarmony,  // GPT-5 and gpt-oss: channels
  kClaude,
  kGemini,
  kGrok,
  kOther,  // nothing is known
};

// What an image costs.
struct ImageRule {
  enum class Kind : uint8_t { kTiles, kPatches, kClaude, kGemini, kFlat };
  Kind kind = Kind::kFlat;
  uint32_t base = 0;            // tiles: of any image, and all of one of low detail; flat: all
  uint32_t tile = 0;            // tiles: of each tile of 512 pixels
  uint32_t percent = 100;       // patches: what is billed for 100 patches
  uint32_t max_patches = 1536;  // patches: an image of more is scaled down
};

// Numbers that stand in for a tokenizer and a rendering that are not public.
struct Estimate {
  double text = 1;       // tokens for a token of o200k_base, in messages and instructions
  double tool_text = 1;  // the same, in the JSON of tools
  double call_text = 1;  // the same, in calls of tools and their results
  double start = 3;      // of any request
  double message = 4;    // of each message
  double tools = 0;      // of having tools at all
  double tool = 0;       // of each tool
  double forced = 0;     // of a call that is required
  double call = 0;       // of each call in the history, with its result
  double reasoning = 0;  // of thinking being on
};

struct Family {
  Rendering rendering = Rendering::kOther;
  ImageRule image{};
  Estimate estimate{};  // for kClaude and those after it
  // Functions were seen in bills of this family: else their rendering is a guess.
  bool tools_measured = true;
  // Only the texts are billed: no frames, roles or priming.
  bool bare = false;
  // In responses a call in the history costs more when the provider knows it by its id. When false
  // every one does; that rests on too few bills to be sure.
  bool calls_by_id = true;
};

// Of a model's name in any usual spelling: a maker's prefix ("openai/", "anthropic."), "ft:" and
// Azure's "gpt-35" included. `encoding` is its tokenizer's name: it stands in for the name of a
// model that is not in the table.
Family FamilyOf(std::string_view model, std::string_view encoding);

// The tokens of an image of this size; of the largest when `size` is nullopt. `low`: detail "low".
uint64_t ImageTokens(const ImageRule& rule, std::optional<ImageSize> size, bool low);

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_PROMPT_FAMILY_H_
