// What of a request its answer depends on, as a cache of answers needs it: two hashes and a text.
//
// Everything counts unless it is known not to change the answer: whether the answer streams, and
// what the policy says to ignore. The texts of the dialogue (or of its last messages) are left out
// of `frame` and gathered in `text`, to be matched by meaning; their number, their roles and
// whatever else stands in those messages are part of the frame. A field that nobody knows is a
// part of the frame like any other.

#ifndef WEIR_LIB_ENGINE_REQUEST_KEY_H_
#define WEIR_LIB_ENGINE_REQUEST_KEY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/json.h"
#include "weir/dialects.h"
#include "weir/policy.h"

namespace weir::engine {

struct RequestKey {
  Hash128 exact;     // of everything
  Hash128 frame;     // of everything but the texts
  std::string text;  // the texts, a line break between two
  // Why no cache can answer it; empty: one can. "operation", "provider_state",
  // "too_many_messages".
  std::string_view bypass;
};

// `scope` is what tells apart requests beyond their bodies: tenant, route, model.
RequestKey KeyOf(const dialects::Request& request, json::Value body, const policy::Cache& cache,
                 std::string_view scope, uint64_t seed);

// Texts one behind the other, so that no two lists of texts give the same bytes.
void AppendPart(std::string_view part, std::string* parts);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_REQUEST_KEY_H_
