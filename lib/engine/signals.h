// What the heads of answers tell of their backends.

#ifndef WEIR_LIB_ENGINE_SIGNALS_H_
#define WEIR_LIB_ENGINE_SIGNALS_H_

#include <cstdint>
#include <optional>

#include "engine/request.h"
#include "weir/breaker.h"
#include "weir/policy.h"

namespace weir::engine {

// When to come back, of a failure.
breaker::RetryHeaders RetryHeadersOf(const HeaderList& headers);

// How far the backend says that it is used (azure-openai-deployment-utilization), in percent.
std::optional<uint32_t> UtilizationTold(const HeaderList& headers);

// How long the backend has no room for another request of `prompt` tokens, by what it says is left
// (x-ratelimit-remaining-*) and how far it is used (azure-openai-deployment-utilization); 0 when it
// has room or does not say.
int64_t RestTold(const HeaderList& headers, uint64_t prompt, const policy::Backend& backend,
                 Now now);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_SIGNALS_H_
