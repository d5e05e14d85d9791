// The kinds of request that the fuzzers of requests choose from by their input's first byte.

#ifndef WEIR_TESTS_FUZZ_REQUEST_KINDS_H_
#define WEIR_TESTS_FUZZ_REQUEST_KINDS_H_

#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include "weir/dialects.h"

namespace weir::fuzz {

struct RequestKind {
  dialects::Dialect dialect;
  dialects::Operation operation;
  std::string_view target;
};

inline constexpr RequestKind kRequestKinds[] = {
    {dialects::Dialect::kOpenAi, dialects::Operation::kChat, "/v1/chat/completions"},
    {dialects::Dialect::kOpenAi, dialects::Operation::kResponses, "/v1/responses"},
    {dialects::Dialect::kOpenAi, dialects::Operation::kCompletions, "/v1/completions"},
    {dialects::Dialect::kOpenAi, dialects::Operation::kEmbeddings, "/v1/embeddings"},
    {dialects::Dialect::kAzureOpenAi, dialects::Operation::kChat,
     "/openai/deployments/m/chat/completions"},
    {dialects::Dialect::kAnthropic, dialects::Operation::kChat, "/v1/messages"},
    {dialects::Dialect::kGemini, dialects::Operation::kChat, "/v1beta/models/m:generateContent"},
    {dialects::Dialect::kGemini, dialects::Operation::kEmbeddings, "/v1beta/models/m:embedContent"},
    {dialects::Dialect::kBedrock, dialects::Operation::kChat, "/model/m/converse-stream"},
    {dialects::Dialect::kBedrock, dialects::Operation::kChat, "/model/m/invoke"},
};

inline const RequestKind& KindOf(uint8_t byte) {
  return kRequestKinds[byte % std::size(kRequestKinds)];
}

// Ends the program where the fuzzer sees it.
inline void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_REQUEST_KINDS_H_
