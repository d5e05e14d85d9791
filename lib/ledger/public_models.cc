// What public models cost, as far as it could be read on kPublicModelsDate. A row is in here only
// if its source says all of it; models whose sources disagree are left out. A cache write costs
// what the shorter of the lifetimes on offer does.

#include <algorithm>

#include "weir/ledger.h"

namespace weir::ledger {
namespace {

// Of dollars per million tokens, as vendors write them: to a hundredth of a cent.
constexpr uint64_t Usd(double dollars) { return static_cast<uint64_t>(dollars * 1e4 + 0.5) * 100; }

constexpr std::string_view kOpenAi =
    "github.com/simonw/llm-prices data/openai.json at 0838d1aca5cc5cb2b5f61cc551adb09e517a0da7";
constexpr std::string_view kOpenAiPages = "developers.openai.com/api/docs/models";
constexpr std::string_view kGoogle =
    "github.com/simonw/llm-prices data/google.json at 014a62da459805dcea25aaa644cf7a90ec9e4000";
constexpr std::string_view kAnthropic = "platform.claude.com/docs/en/about-claude/pricing";
constexpr std::string_view kClaudeNotes =
    "github.com/kurofune/claudit releases v1.8.2 and v1.9.2, after the vendor's page of 2026-10-24";

// Name, longest prompt of the row, context, longest output; prices of input, cached input, cache
// write, output. Sorted by name, then by longest prompt, "any" last.
constexpr PublicModel kModels[] = {
    {"claude-3-5-haiku", 0, 0, 0, {Usd(0.8), Usd(0.08), Usd(1), Usd(4)}, kAnthropic},
    {"claude-3-7-sonnet", 0, 0, 0, {Usd(3), Usd(0.3), Usd(3.75), Usd(15)}, kAnthropic},
    {"claude-3-haiku", 0, 0, 0, {Usd(0.25), Usd(0.03), Usd(0.3), Usd(1.25)}, kAnthropic},
    {"claude-3-opus", 0, 0, 0, {Usd(15), Usd(1.5), Usd(18.75), Usd(75)}, kAnthropic},
    {"claude-haiku-4-5", 0, 0, 0, {Usd(1), Usd(0.1), Usd(1.25), Usd(5)}, kAnthropic},
    {"claude-haiku-5-5",
     100'000,
     1'000'000,
     128'000,
     {Usd(0.1), Usd(0.01), Usd(0.125), Usd(0.5)},
     kClaudeNotes},
    {"claude-haiku-5-5",
     0,
     1'000'000,
     128'000,
     {Usd(0.5), Usd(0.05), Usd(0.625), Usd(2.5)},
     kClaudeNotes},
    {"claude-opus-4", 0, 0, 0, {Usd(15), Usd(1.5), Usd(18.75), Usd(75)}, kAnthropic},
    {"claude-opus-4-1", 0, 0, 0, {Usd(15), Usd(1.5), Usd(18.75), Usd(75)}, kAnthropic},
    {"claude-opus-4-5", 0, 0, 0, {Usd(5), Usd(0.5), Usd(6.25), Usd(25)}, kAnthropic},
    {"claude-opus-4-6", 0, 0, 0, {Usd(5), Usd(0.5), Usd(6.25), Usd(25)}, kAnthropic},
    {"claude-opus-4-7", 0, 0, 0, {Usd(5), Usd(0.5), Usd(6.25), Usd(25)}, kAnthropic},
    {"claude-opus-4-8", 0, 0, 0, {Usd(5), Usd(0.5), Usd(6.25), Usd(25)}, kAnthropic},
    {"claude-opus-5", 0, 1'000'000, 128'000, {Usd(5), Usd(0.5), Usd(6.25), Usd(25)}, kAnthropic},
    {"claude-opus-5-5", 0, 1'000'000, 128'000, {Usd(4), Usd(0.2), Usd(5), Usd(20)}, kClaudeNotes},
    {"claude-sonnet-4", 0, 0, 0, {Usd(3), Usd(0.3), Usd(3.75), Usd(15)}, kAnthropic},
    {"claude-sonnet-4-5", 0, 0, 0, {Usd(3), Usd(0.3), Usd(3.75), Usd(15)}, kAnthropic},
    {"claude-sonnet-4-6", 0, 0, 0, {Usd(3), Usd(0.3), Usd(3.75), Usd(15)}, kAnthropic},
    {"claude-sonnet-5-5",
     0,
     1'000'000,
     128'000,
     {Usd(2), Usd(0.1), Usd(2.5), Usd(10)},
     kClaudeNotes},
    {"gemini-2.0-flash", 0, 0, 0, {Usd(0.1), {}, {}, Usd(0.4)}, kGoogle},
    {"gemini-2.0-flash-lite", 0, 0, 0, {Usd(0.075), {}, {}, Usd(0.3)}, kGoogle},
    {"gemini-2.5-flash", 0, 0, 0, {Usd(0.3), Usd(0.03), {}, Usd(2.5)}, kGoogle},
    {"gemini-2.5-flash-lite", 0, 0, 0, {Usd(0.1), Usd(0.01), {}, Usd(0.4)}, kGoogle},
    {"gemini-2.5-pro", 200'000, 0, 0, {Usd(1.25), Usd(0.125), {}, Usd(10)}, kGoogle},
    {"gemini-2.5-pro", 0, 0, 0, {Usd(2.5), Usd(0.25), {}, Usd(15)}, kGoogle},
    {"gemini-3-flash-preview", 0, 0, 0, {Usd(0.5), {}, {}, Usd(3)}, kGoogle},
    {"gemini-3-pro-preview", 200'000, 0, 0, {Usd(2), {}, {}, Usd(12)}, kGoogle},
    {"gemini-3-pro-preview", 0, 0, 0, {Usd(4), {}, {}, Usd(18)}, kGoogle},
    {"gemini-3.1-flash-lite-preview", 0, 0, 0, {Usd(0.25), Usd(0.025), {}, Usd(1.5)}, kGoogle},
    {"gemini-3.5-flash", 0, 0, 0, {Usd(1.5), Usd(0.15), {}, Usd(9)}, kGoogle},
    {"gemini-3.5-flash-lite", 0, 0, 0, {Usd(0.3), Usd(0.03), {}, Usd(2.5)}, kGoogle},
    {"gemini-3.6-flash", 0, 0, 0, {Usd(1.5), Usd(0.15), {}, Usd(7.5)}, kGoogle},
    {"gpt-4", 0, 8'192, 8'192, {Usd(30), {}, {}, Usd(60)}, kOpenAiPages},
    {"gpt-4.1", 0, 1'047'576, 32'768, {Usd(2), Usd(0.5), {}, Usd(8)}, kOpenAi},
    {"gpt-4.1-mini", 0, 1'047'576, 32'768, {Usd(0.4), Usd(0.1), {}, Usd(1.6)}, kOpenAi},
    {"gpt-4.1-nano", 0, 1'047'576, 32'768, {Usd(0.1), Usd(0.025), {}, Usd(0.4)}, kOpenAi},
    {"gpt-4o", 0, 128'000, 16'384, {Usd(2.5), Usd(1.25), {}, Usd(10)}, kOpenAi},
    {"gpt-4o-mini", 0, 128'000, 16'384, {Usd(0.15), Usd(0.075), {}, Usd(0.6)}, kOpenAi},
    {"gpt-5", 0, 0, 0, {Usd(1.25), Usd(0.125), {}, Usd(10)}, kOpenAi},
    {"gpt-5-mini", 0, 0, 0, {Usd(0.25), Usd(0.025), {}, Usd(2)}, kOpenAi},
    {"gpt-5-nano", 0, 0, 0, {Usd(0.05), Usd(0.005), {}, Usd(0.4)}, kOpenAi},
    {"gpt-5-pro", 0, 0, 0, {Usd(15), {}, {}, Usd(120)}, kOpenAi},
    {"gpt-5.1", 0, 0, 0, {Usd(1.25), Usd(0.125), {}, Usd(10)}, kOpenAi},
    {"gpt-5.1-codex", 0, 0, 0, {Usd(1.25), Usd(0.125), {}, Usd(10)}, kOpenAi},
    {"gpt-5.1-codex-mini", 0, 0, 0, {Usd(0.25), Usd(0.025), {}, Usd(2)}, kOpenAi},
    {"gpt-5.2", 0, 0, 0, {Usd(1.75), Usd(0.175), {}, Usd(14)}, kOpenAi},
    {"gpt-5.2-pro", 0, 0, 0, {Usd(21), {}, {}, Usd(168)}, kOpenAi},
    {"gpt-5.4", 272'000, 0, 0, {Usd(2.5), Usd(0.25), {}, Usd(15)}, kOpenAi},
    {"gpt-5.4", 0, 0, 0, {Usd(5), Usd(0.5), {}, Usd(22.5)}, kOpenAi},
    {"gpt-5.4-mini", 0, 0, 0, {Usd(0.75), Usd(0.075), {}, Usd(4.5)}, kOpenAi},
    {"gpt-5.4-nano", 0, 0, 0, {Usd(0.2), Usd(0.02), {}, Usd(1.25)}, kOpenAi},
    {"gpt-5.4-pro", 272'000, 0, 0, {Usd(30), {}, {}, Usd(180)}, kOpenAi},
    {"gpt-5.4-pro", 0, 0, 0, {Usd(60), {}, {}, Usd(270)}, kOpenAi},
    {"gpt-5.5", 272'000, 0, 0, {Usd(5), Usd(0.5), {}, Usd(30)}, kOpenAi},
    {"gpt-5.5", 0, 0, 0, {Usd(10), Usd(1), {}, Usd(45)}, kOpenAi},
    {"gpt-5.5-pro", 272'000, 0, 0, {Usd(30), {}, {}, Usd(180)}, kOpenAi},
    {"o3-mini", 0, 0, 0, {Usd(1.1), Usd(0.55), {}, Usd(4.4)}, kOpenAi},
    {"o3-pro", 0, 0, 0, {Usd(20), {}, {}, Usd(80)}, kOpenAi},
    {"o4-mini", 0, 0, 0, {Usd(1.1), Usd(0.275), {}, Usd(4.4)}, kOpenAi},
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
