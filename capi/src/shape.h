// What a request body is, when nothing but the body says so.

#ifndef WEIR_CAPI_SHAPE_H_
#define WEIR_CAPI_SHAPE_H_

#include <optional>

#include "base/json.h"
#include "weir/usage.h"

namespace weir::capi {

struct Shape {
  dialects::Dialect dialect;
  dialects::Operation operation;
};

// The most usual request that has such fields. A plain chat of Anthropic's with a model that is not
// called so is one of OpenAI's too: that is what it is taken for. nullopt: no request that weir
// knows has none of messages, input, prompt, contents, content and requests.
std::optional<Shape> ShapeOf(json::Value body);

}  // namespace weir::capi

#endif  // WEIR_CAPI_SHAPE_H_
