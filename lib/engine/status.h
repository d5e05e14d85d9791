// How backends, pools and limits stand, for people: parts of the engine's status as JSON.

#ifndef WEIR_LIB_ENGINE_STATUS_H_
#define WEIR_LIB_ENGINE_STATUS_H_

#include "base/json.h"
#include "engine/generation.h"

namespace weir::engine {

// Why a member of a pool takes no request: "tripped".
std::string_view ReasonName(balance::Availability why);

// "backends": the circuits of each, one or one for each model, and the state of the worst.
void WriteBackends(const Generation& generation, Now now, json::Writer* writer);

// "pools": who is usable, why not and until when, what is under way.
void WritePools(const Generation& generation, Now now, json::Writer* writer);

// "limits": what the policy sets: unit, amount unless an expression gives it, window.
void WriteLimits(const policy::Plan& plan, json::Writer* writer);

// "caches": what each holds and has done, of all processes since it was made.
void WriteCaches(const Generation& generation, json::Writer* writer);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_STATUS_H_
