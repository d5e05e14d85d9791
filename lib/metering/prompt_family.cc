#include "metering/prompt_family.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/saturating.h"

namespace weir::metering {
namespace {

// Images. Tiles: https://platform.openai.com/docs/guides/images-vision#calculating-costs. The
// multipliers of patches are those that are billed (the guide's table differs for GPT-5's small
// models: see the threads on image input at https://community.openai.com/t/1344040 and /1377015).
constexpr ImageRule Tiles(uint32_t base, uint32_t tile) {
  return {ImageRule::Kind::kTiles, base, tile};
}
constexpr ImageRule Patches(uint32_t percent, uint32_t max_patches = 1536) {
  return {ImageRule::Kind::kPatches, 0, 0, percent, max_patches};
}
constexpr ImageRule kTilesOmni = Tiles(85, 170);
constexpr ImageRule kTilesOmniMini = Tiles(2833, 5667);
constexpr ImageRule kTilesO = Tiles(75, 150);
constexpr ImageRule kTilesFive = Tiles(70, 140);
// https://docs.anthropic.com/en/docs/build-with-claude/vision#calculate-image-costs
constexpr ImageRule kImageClaude = {ImageRule::Kind::kClaude};
// https://ai.google.dev/gemini-api/docs/tokens: 258 for each tile of 768 pixels
constexpr ImageRule kImageGemini = {ImageRule::Kind::kGemini};
constexpr ImageRule kImageGrok = {ImageRule::Kind::kFlat, 256};
constexpr ImageRule kImageUnknown = {ImageRule::Kind::kFlat, 1105};

// Estimates, fitted to billed requests (see the header of weir/prompt_meter.h). Anthropic itself
// states what tools add: 346 tokens of instructions and 313 when one is required, more in the older
// models (https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview#pricing).
//                           text  tool_text call_text start message tools tool forced call
//                           reasoning
constexpr Estimate kClaude4 = {1.05, 1.17, 1.9, 3.3, 3.5, 495, 8, 98, 38, 30};
constexpr Estimate kClaude5 = {1.41, 1.6, 1.9, 1, 2.5, 340, 8, 98, 30, 0};
constexpr Estimate kClaude35 = {1.15, 1.7, 1.9, 4, 4.5, 262, 0, 0, 38, 26};
constexpr Estimate kClaude3 = {1.0, 1.7, 1.9, 5, 4.7, 530, 0, 0, 38, 0};
constexpr Estimate kGemini = {1.0, 1.0, 1.1, 1, 1, 20, 10, 0, 12, 0};
constexpr Estimate kGrok = {1.0, 1.0, 1.2, -1, 4, 141, 0, 0, 12, 0};
constexpr Estimate kUnknown = {1.0, 1.0, 1.0, 3, 4, 13, 0, 0, 20, 0};

struct Row {
  std::string_view prefix;
  Family family;
};

// A model is the first row whose prefix it begins with, so the longer ones stand first.
constexpr std::array kRows = {
    Row{"gpt-3.5", {Rendering::kTurbo, kTilesOmni}},
    Row{"gpt-35", {Rendering::kTurbo, kTilesOmni}},
    Row{"gpt-4o-mini-search", {Rendering::kOmni, kTilesOmniMini, {}, true, true}},
    Row{"gpt-4o-search", {Rendering::kOmni, kTilesOmni, {}, true, true}},
    Row{"gpt-4o-mini", {Rendering::kOmni, kTilesOmniMini}},
    Row{"gpt-4o", {Rendering::kOmni, kTilesOmni}},
    Row{"chatgpt-4o", {Rendering::kOmni, kTilesOmni}},
    Row{"gpt-4.1-mini", {Rendering::kOmni, Patches(162)}},
    Row{"gpt-4.1-nano", {Rendering::kOmni, Patches(246)}},
    Row{"gpt-4.1", {Rendering::kOmni, kTilesOmni}},
    Row{"gpt-4.5", {Rendering::kOmni, kTilesOmni}},
    Row{"gpt-4", {Rendering::kTurbo, kTilesOmni}},
    Row{"gpt-5-mini", {Rendering::kHarmony, Patches(120)}},
    Row{"gpt-5-nano", {Rendering::kHarmony, Patches(150)}},
    Row{"gpt-5.1", {Rendering::kHarmony, kTilesFive}},
    Row{"gpt-5.2", {Rendering::kHarmony, Patches(120)}},
    Row{"gpt-5.3", {Rendering::kHarmony, Patches(120)}},
    Row{"gpt-5.", {Rendering::kHarmony, Patches(120, 2500), {}, true, false, false}},
    Row{"gpt-5", {Rendering::kHarmony, kTilesFive}},
    Row{"gpt-oss", {Rendering::kHarmony, kTilesFive}},
    Row{"codex-mini", {Rendering::kOSeries, Patches(172), {}, false}},
    Row{"o4-mini", {Rendering::kOSeries, Patches(172), {}, false}},
    Row{"o1", {Rendering::kOSeries, kTilesO, {}, false}},
    Row{"o3", {Rendering::kOSeries, kTilesO, {}, false}},
    Row{"o4", {Rendering::kOSeries, kTilesO, {}, false}},
    Row{"claude-3-5", {Rendering::kClaude, kImageClaude, kClaude35}},
    Row{"claude-3-7", {Rendering::kClaude, kImageClaude, kClaude35}},
    Row{"claude-3", {Rendering::kClaude, kImageClaude, kClaude3}},
    Row{"claude-opus-4-7", {Rendering::kClaude, kImageClaude, kClaude5}},
    Row{"claude-opus-4-8", {Rendering::kClaude, kImageClaude, kClaude5}},
    Row{"claude-opus-5", {Rendering::kClaude, kImageClaude, kClaude5}},
    Row{"claude-sonnet-5", {Rendering::kClaude, kImageClaude, kClaude5}},
    Row{"claude-fable", {Rendering::kClaude, kImageClaude, kClaude5}},
    Row{"claude", {Rendering::kClaude, kImageClaude, kClaude4}},
    Row{"gemini", {Rendering::kGemini, kImageGemini, kGemini}},
    Row{"gemma", {Rendering::kGemini, kImageGemini, kGemini}},
    Row{"grok", {Rendering::kGrok, kImageGrok, kGrok}},
    // Served in OpenAI's form by many; their chat templates differ from server to server.
    Row{"llama", {Rendering::kOther, kImageUnknown, kUnknown}},
    Row{"meta", {Rendering::kOther, kImageUnknown, kUnknown}},
    Row{"mistral", {Rendering::kOther, kImageUnknown, kUnknown}},
    Row{"mixtral", {Rendering::kOther, kImageUnknown, kUnknown}},
    Row{"qwen", {Rendering::kOther, kImageUnknown, kUnknown}},
    Row{"deepseek", {Rendering::kOther, kImageUnknown, kUnknown}},
    Row{"kimi", {Rendering::kOther, kImageUnknown, kUnknown}},
    Row{"amazon", {Rendering::kOther, kImageUnknown, kUnknown}},
};

// "openai/gpt-4o", "us.anthropic.claude-…", "ft:gpt-4o:…": what follows the last of these marks.
std::string_view WithoutMaker(std::string_view model) {
  constexpr std::string_view kMarks[] = {"/", "ft:", "anthropic.", "openai.", "google."};
  for (const std::string_view mark : kMarks) {
    const size_t at = model.rfind(mark);
    if (at != std::string_view::npos) model.remove_prefix(at + mark.size());
  }
  return model;
}

struct Extent {
  double width, height;
};

uint64_t TileTokens(const ImageRule& rule, std::optional<ImageSize> size) {
  constexpr double kBox = 2048, kShortSide = 768, kTile = 512;
  // No image is larger than the box whose short side is what it may be.
  Extent extent = {kBox, kShortSide};
  if (size) {
    extent = {static_cast<double>(size->width), static_cast<double>(size->height)};
    const double fit = std::min(1.0, kBox / std::max(extent.width, extent.height));
    extent = {extent.width * fit, extent.height * fit};
    const double shorten = std::min(1.0, kShortSide / std::min(extent.width, extent.height));
    // Rounded down to pixels, at least one; a hair more than 1024 is not another tile.
    extent = {std::max(1.0, std::floor(extent.width * shorten + 1e-6)),
              std::max(1.0, std::floor(extent.height * shorten + 1e-6))};
  }
  const double tiles = std::ceil(extent.width / kTile) * std::ceil(extent.height / kTile);
  return rule.base + rule.tile * static_cast<uint64_t>(tiles);
}

uint64_t PatchTokens(const ImageRule& rule, std::optional<ImageSize> size) {
  constexpr double kSide = 32;
  double patches = rule.max_patches;
  if (size) {
    const double width = size->width, height = size->height;
    patches = std::ceil(width / kSide) * std::ceil(height / kSide);
    if (patches > rule.max_patches) {
      // Scaled to the area of the patches allowed, then until one side is a whole number of them.
      double scale = std::sqrt(kSide * kSide * rule.max_patches / (width * height));
      const double across = width * scale / kSide, down = height * scale / kSide;
      scale *= std::min(std::floor(across) / across, std::floor(down) / down);
      patches = std::ceil(width * scale / kSide - 1e-6) * std::ceil(height * scale / kSide - 1e-6);
      patches = std::clamp(patches, 1.0, static_cast<double>(rule.max_patches));
    }
  }
  return CeilDiv(static_cast<uint64_t>(patches) * rule.percent, 100);
}

uint64_t ClaudeTokens(std::optional<ImageSize> size) {
  constexpr double kLongSide = 1568, kPixels = 750, kMost = 1600;
  if (!size) return static_cast<uint64_t>(kMost);
  const double fit =
      std::min(1.0, kLongSide / static_cast<double>(std::max(size->width, size->height)));
  const double tokens = std::ceil(fit * fit * size->width * size->height / kPixels);
  return static_cast<uint64_t>(std::min(tokens, kMost));
}

uint64_t GeminiTokens(std::optional<ImageSize> size) {
  constexpr uint64_t kSmall = 384, kTile = 768, kTileTokens = 258, kMostTiles = 16;
  if (!size) return kTileTokens * kMostTiles;
  if (size->width <= kSmall && size->height <= kSmall) return kTileTokens;
  const uint64_t tiles = CeilDiv(size->width, kTile) * CeilDiv(size->height, kTile);
  return kTileTokens * std::min(tiles, kMostTiles);
}

}  // namespace

Family FamilyOf(std::string_view model, std::string_view encoding) {
  model = WithoutMaker(model);
  for (const Row& row : kRows) {
    if (model.substr(0, row.prefix.size()) == row.prefix) return row.family;
  }
  if (encoding == "cl100k_base") return {Rendering::kTurbo, kTilesOmni};
  if (encoding == "o200k_base") return {Rendering::kOmni, kTilesOmni};
  if (encoding == "o200k_harmony") return {Rendering::kHarmony, kTilesFive};
  return {Rendering::kOther, kImageUnknown, kUnknown};
}

uint64_t ImageTokens(const ImageRule& rule, std::optional<ImageSize> size, bool low) {
  switch (rule.kind) {
    case ImageRule::Kind::kTiles:
      return low ? rule.base : TileTokens(rule, size);
    case ImageRule::Kind::kPatches:
      return PatchTokens(rule, size);  // low detail makes no difference to what is billed
    case ImageRule::Kind::kClaude:
      return ClaudeTokens(size);
    case ImageRule::Kind::kGemini:
      return GeminiTokens(size);
    case ImageRule::Kind::kFlat:
      break;
  }
  return rule.base;
}

}  // namespace weir::metering
