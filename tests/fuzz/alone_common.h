// What the parts of fz_abi_alone share: states, the clock, texts, the age of the next struct.

#ifndef WEIR_TESTS_FUZZ_ALONE_COMMON_H_
#define WEIR_TESTS_FUZZ_ALONE_COMMON_H_

#include <array>
#include <string_view>

#include "tests/fuzz/abi_fuzz.h"

namespace weir::fuzz {

constexpr std::string_view kAloneTexts[] = {
    "",
    "east",
    "west",
    "gpt-4o",
    "o200k_base",
    "cl100k_base",
    "Say it. \xE4\xBD\xA0\xE5\xA5\xBD",
    "12",
    "1m30s",
    "Mon, 01 Jan 2026 00:01:00 GMT",
    "0",
    "text/event-stream",
    "application/json",
    "gzip",
    R"({"model":"gpt-4o","messages":[{"role":"user","content":"Say it."}],"max_tokens":20})",
    R"({"contents":[{"parts":[{"text":"Say it."}]}]})",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"well then\"}}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n",
    "data: [DONE]\n\n",
    R"({"choices":[{"index":0,"message":{"role":"assistant","content":"No."},)"
    R"("finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}})",
};

struct Common {
  explicit Common(const AbiInput& calls) : input(calls) { error.size = sizeof(error); }

  std::string_view Text(uint8_t operand) const {
    const size_t index = operand % (std::size(kAloneTexts) + 1);
    return index < std::size(kAloneTexts) ? kAloneTexts[index] : input.Raw(operand, 40);
  }

  // One that was set counts for one struct: the first, second or third from there.
  uint8_t TakeAge() {
    const uint8_t age = ages[0];
    ages = {ages[1], ages[2], 0};
    return age;
  }

  const AbiInput& input;
  weir_error error = {};
  weir_now now = {1'000'000'000, 1'767'225'600'000'000'000};
  std::array<uint8_t, 3> ages = {};
  Slots<weir_state, weir_state_free> states;
};

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_ALONE_COMMON_H_
