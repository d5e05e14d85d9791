// Any bytes as an answer of OpenAI's responses. Input: the framing (1 byte), cuts (1 byte), the
// body.
//
// Oracle: as for the other dialects; see answer_fuzz.h.

#include "tests/fuzz/answer_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string input(data, data + size);
  const auto responses = static_cast<uint8_t>(weir::dialects::Operation::kResponses);
  input[0] = static_cast<char>((data[0] & 3) | responses << 2);
  return weir::fuzz::FuzzAnswer(weir::dialects::Dialect::kAzureOpenAi,
                                reinterpret_cast<const uint8_t*>(input.data()), input.size());
}
