// The numbers by which weir.h calls dialects, operations and provenances.

#ifndef WEIR_CAPI_DIALECT_NUMBERS_H_
#define WEIR_CAPI_DIALECT_NUMBERS_H_

#include <cstdint>

#include "handles.h"
#include "weir.h"
#include "weir/usage.h"

namespace weir::capi {

inline constexpr int32_t kFirst = 1;  // of both; 0 leaves it open

// Of options: what they name must be there, or be left open.
inline weir_status CheckNumbers(int32_t dialect, int32_t operation, weir_error* error) {
  if (dialect < 0 || dialect > WEIR_DIALECT_BEDROCK) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "no such dialect");
  }
  if (operation < 0 || operation > WEIR_OPERATION_EMBEDDINGS) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "no such operation");
  }
  return WEIR_OK;
}

constexpr dialects::Dialect DialectOf(int32_t number) {
  return static_cast<dialects::Dialect>(number - kFirst);
}
constexpr int32_t NumberOf(dialects::Dialect dialect) {
  return static_cast<int32_t>(dialect) + kFirst;
}
static_assert(NumberOf(dialects::Dialect::kOpenAi) == WEIR_DIALECT_OPENAI);
static_assert(NumberOf(dialects::Dialect::kAzureOpenAi) == WEIR_DIALECT_AZURE_OPENAI);
static_assert(NumberOf(dialects::Dialect::kAnthropic) == WEIR_DIALECT_ANTHROPIC);
static_assert(NumberOf(dialects::Dialect::kGemini) == WEIR_DIALECT_GEMINI);
static_assert(NumberOf(dialects::Dialect::kBedrock) == WEIR_DIALECT_BEDROCK);

constexpr dialects::Operation OperationOf(int32_t number) {
  return static_cast<dialects::Operation>(number - kFirst);
}
constexpr int32_t NumberOf(dialects::Operation operation) {
  return static_cast<int32_t>(operation) + kFirst;
}
static_assert(NumberOf(dialects::Operation::kChat) == WEIR_OPERATION_CHAT);
static_assert(NumberOf(dialects::Operation::kResponses) == WEIR_OPERATION_RESPONSES);
static_assert(NumberOf(dialects::Operation::kCompletions) == WEIR_OPERATION_COMPLETIONS);
static_assert(NumberOf(dialects::Operation::kEmbeddings) == WEIR_OPERATION_EMBEDDINGS);

constexpr int32_t NumberOf(dialects::Provenance provenance) {
  switch (provenance) {
    case dialects::Provenance::kExact:
      return WEIR_PROVENANCE_EXACT;
    case dialects::Provenance::kProvider:
      return WEIR_PROVENANCE_PROVIDER;
    case dialects::Provenance::kUpperBound:
      return WEIR_PROVENANCE_UPPER_BOUND;
    case dialects::Provenance::kEstimated:
      break;
  }
  return WEIR_PROVENANCE_ESTIMATED;
}

}  // namespace weir::capi

#endif  // WEIR_CAPI_DIALECT_NUMBERS_H_
