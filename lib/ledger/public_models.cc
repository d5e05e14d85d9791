// What public models cost, as far as it could be read on kPublicModelsDate. A row is in here only
// if its source says all of it; models whose sources disagree are left out. A cache write costs
// what the shorter of the lifetimes on offer does.

#include <algorithm>

#include "weir/ledger.h"

namespace weir::ledger {
namespace {

constexpr std::string_view kOpenAi =
    "github.com/simonw/llm-prices data/openai.json at 0838d1aca5cc5cb2b5f61cc551adb09e517a0da7";
constexpr std::string_view kOpenAiPages = "developers.openai.com/api/docs/models";
constexpr std::string_view kGoogle =
    "github.com/simonw/llm-prices data/google.json at 014a62da459805dcea25aaa644cf7a90ec9e4000";
constexpr std::string_view kAnthropic = "platform.claude.com/docs/en/about-claude/pricing";
constexpr std::string_view kClaudeNotes =
    "github.com/kurofune/claudit releases v1.8.2 and v1.9.2, after the vendor's page of 2026-10-24";

// Name, longest prompt of the row, context, longest output; prices of input, cached input, cache
// write, output, in micro-USD per million tokens. Sorted by name, then by longest prompt, "any"
// last.
constexpr PublicModel kModels[] = {
    {"claude-3-5-haiku", 0, 0, 0, {800'000, 80'000, 1'000'000, 4'000'000}, kAnthropic},
    {"claude-3-7-sonnet", 0, 0, 0, {3'000'000, 300'000, 3'750'000, 15'000'000}, kAnthropic},
    {"claude-3-haiku", 0, 0, 0, {250'000, 30'000, 300'000, 1'250'000}, kAnthropic},
    {"claude-3-opus", 0, 0, 0, {15'000'000, 1'500'000, 18'750'000, 75'000'000}, kAnthropic},
    {"claude-haiku-4-5", 0, 0, 0, {1'000'000, 100'000, 1'250'000, 5'000'000}, kAnthropic},
    {"claude-haiku-5-5",
     100'000,
     1'000'000,
     128'000,
     {100'000, 10'000, 125'000, 500'000},
     kClaudeNotes},
    {"claude-haiku-5-5",
     0,
     1'000'000,
     128'000,
     {500'000, 50'000, 625'000, 2'500'000},
     kClaudeNotes},
    {"claude-opus-4", 0, 0, 0, {15'000'000, 1'500'000, 18'750'000, 75'000'000}, kAnthropic},
    {"claude-opus-4-1", 0, 0, 0, {15'000'000, 1'500'000, 18'750'000, 75'000'000}, kAnthropic},
    {"claude-opus-4-5", 0, 0, 0, {5'000'000, 500'000, 6'250'000, 25'000'000}, kAnthropic},
    {"claude-opus-4-6", 0, 0, 0, {5'000'000, 500'000, 6'250'000, 25'000'000}, kAnthropic},
    {"claude-opus-4-7", 0, 0, 0, {5'000'000, 500'000, 6'250'000, 25'000'000}, kAnthropic},
    {"claude-opus-4-8", 0, 0, 0, {5'000'000, 500'000, 6'250'000, 25'000'000}, kAnthropic},
    {"claude-opus-5",
     0,
     1'000'000,
     128'000,
     {5'000'000, 500'000, 6'250'000, 25'000'000},
     kAnthropic},
    {"claude-opus-5-5",
     0,
     1'000'000,
     128'000,
     {4'000'000, 200'000, 5'000'000, 20'000'000},
     kClaudeNotes},
    {"claude-sonnet-4", 0, 0, 0, {3'000'000, 300'000, 3'750'000, 15'000'000}, kAnthropic},
    {"claude-sonnet-4-5", 0, 0, 0, {3'000'000, 300'000, 3'750'000, 15'000'000}, kAnthropic},
    {"claude-sonnet-4-6", 0, 0, 0, {3'000'000, 300'000, 3'750'000, 15'000'000}, kAnthropic},
    {"claude-sonnet-5-5",
     0,
     1'000'000,
     128'000,
     {2'000'000, 100'000, 2'500'000, 10'000'000},
     kClaudeNotes},
    {"gemini-2.0-flash", 0, 0, 0, {100'000, {}, {}, 400'000}, kGoogle},
    {"gemini-2.0-flash-lite", 0, 0, 0, {75'000, {}, {}, 300'000}, kGoogle},
    {"gemini-2.5-flash", 0, 0, 0, {300'000, 30'000, {}, 2'500'000}, kGoogle},
    {"gemini-2.5-flash-lite", 0, 0, 0, {100'000, 10'000, {}, 400'000}, kGoogle},
    {"gemini-2.5-pro", 200'000, 0, 0, {1'250'000, 125'000, {}, 10'000'000}, kGoogle},
    {"gemini-2.5-pro", 0, 0, 0, {2'500'000, 250'000, {}, 15'000'000}, kGoogle},
    {"gemini-3-flash-preview", 0, 0, 0, {500'000, {}, {}, 3'000'000}, kGoogle},
    {"gemini-3-pro-preview", 200'000, 0, 0, {2'000'000, {}, {}, 12'000'000}, kGoogle},
    {"gemini-3-pro-preview", 0, 0, 0, {4'000'000, {}, {}, 18'000'000}, kGoogle},
    {"gemini-3.1-flash-lite-preview", 0, 0, 0, {250'000, 25'000, {}, 1'500'000}, kGoogle},
    {"gemini-3.5-flash", 0, 0, 0, {1'500'000, 150'000, {}, 9'000'000}, kGoogle},
    {"gemini-3.5-flash-lite", 0, 0, 0, {300'000, 30'000, {}, 2'500'000}, kGoogle},
    {"gemini-3.6-flash", 0, 0, 0, {1'500'000, 150'000, {}, 7'500'000}, kGoogle},
    {"gpt-4", 0, 8'192, 8'192, {30'000'000, {}, {}, 60'000'000}, kOpenAiPages},
    {"gpt-4.1", 0, 1'047'576, 32'768, {2'000'000, 500'000, {}, 8'000'000}, kOpenAi},
    {"gpt-4.1-mini", 0, 1'047'576, 32'768, {400'000, 100'000, {}, 1'600'000}, kOpenAi},
    {"gpt-4.1-nano", 0, 1'047'576, 32'768, {100'000, 25'000, {}, 400'000}, kOpenAi},
    {"gpt-4o", 0, 128'000, 16'384, {2'500'000, 1'250'000, {}, 10'000'000}, kOpenAi},
    {"gpt-4o-mini", 0, 128'000, 16'384, {150'000, 75'000, {}, 600'000}, kOpenAi},
    {"gpt-5", 0, 0, 0, {1'250'000, 125'000, {}, 10'000'000}, kOpenAi},
    {"gpt-5-mini", 0, 0, 0, {250'000, 25'000, {}, 2'000'000}, kOpenAi},
    {"gpt-5-nano", 0, 0, 0, {50'000, 5'000, {}, 400'000}, kOpenAi},
    {"gpt-5-pro", 0, 0, 0, {15'000'000, {}, {}, 120'000'000}, kOpenAi},
    {"gpt-5.1", 0, 0, 0, {1'250'000, 125'000, {}, 10'000'000}, kOpenAi},
    {"gpt-5.1-codex", 0, 0, 0, {1'250'000, 125'000, {}, 10'000'000}, kOpenAi},
    {"gpt-5.1-codex-mini", 0, 0, 0, {250'000, 25'000, {}, 2'000'000}, kOpenAi},
    {"gpt-5.2", 0, 0, 0, {1'750'000, 175'000, {}, 14'000'000}, kOpenAi},
    {"gpt-5.2-pro", 0, 0, 0, {21'000'000, {}, {}, 168'000'000}, kOpenAi},
    {"gpt-5.4", 272'000, 0, 0, {2'500'000, 250'000, {}, 15'000'000}, kOpenAi},
    {"gpt-5.4", 0, 0, 0, {5'000'000, 500'000, {}, 22'500'000}, kOpenAi},
    {"gpt-5.4-mini", 0, 0, 0, {750'000, 75'000, {}, 4'500'000}, kOpenAi},
    {"gpt-5.4-nano", 0, 0, 0, {200'000, 20'000, {}, 1'250'000}, kOpenAi},
    {"gpt-5.4-pro", 272'000, 0, 0, {30'000'000, {}, {}, 180'000'000}, kOpenAi},
    {"gpt-5.4-pro", 0, 0, 0, {60'000'000, {}, {}, 270'000'000}, kOpenAi},
    {"gpt-5.5", 272'000, 0, 0, {5'000'000, 500'000, {}, 30'000'000}, kOpenAi},
    {"gpt-5.5", 0, 0, 0, {10'000'000, 1'000'000, {}, 45'000'000}, kOpenAi},
    {"gpt-5.5-pro", 272'000, 0, 0, {30'000'000, {}, {}, 180'000'000}, kOpenAi},
    {"o3-mini", 0, 0, 0, {1'100'000, 550'000, {}, 4'400'000}, kOpenAi},
    {"o3-pro", 0, 0, 0, {20'000'000, {}, {}, 80'000'000}, kOpenAi},
    {"o4-mini", 0, 0, 0, {1'100'000, 275'000, {}, 4'400'000}, kOpenAi},
};

bool AreDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Without "-2024-08-06" or "-20250929".
std::string_view WithoutDate(std::string_view name) {
  constexpr size_t kLong = 11, kShort = 9;
  if (name.size() > kLong) {
    const std::string_view tail = name.substr(name.size() - kLong);
    if (tail[0] == '-' && tail[5] == '-' && tail[8] == '-' && AreDigits(tail.substr(1, 4)) &&
        AreDigits(tail.substr(6, 2)) && AreDigits(tail.substr(9, 2))) {
      return name.substr(0, name.size() - kLong);
    }
  }
  if (name.size() > kShort) {
    const std::string_view tail = name.substr(name.size() - kShort);
    if (tail[0] == '-' && AreDigits(tail.substr(1))) return name.substr(0, name.size() - kShort);
  }
  return name;
}

const PublicModel* Find(std::string_view name, uint64_t prompt) {
  const auto* row = std::lower_bound(
      std::begin(kModels), std::end(kModels), name,
      [](const PublicModel& model, std::string_view wanted) { return model.name < wanted; });
  for (; row != std::end(kModels) && row->name == name; ++row) {
    if (row->prompt_max == 0 || prompt <= row->prompt_max) return row;
  }
  return nullptr;
}

}  // namespace

const PublicModel* FindPublicModel(std::string_view name, uint64_t prompt) {
  const PublicModel* found = Find(name, prompt);
  return found != nullptr ? found : Find(WithoutDate(name), prompt);
}

absl::Span<const PublicModel> PublicModels() { return kModels; }

}  // namespace weir::ledger
