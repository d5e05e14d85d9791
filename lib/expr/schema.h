// Which name a dotted chain means.

#ifndef WEIR_LIB_EXPR_SCHEMA_H_
#define WEIR_LIB_EXPR_SCHEMA_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/expr.h"

namespace weir::expr {

// `request.headers['x-app']` as written.
struct Reference {
  struct Part {
    std::string_view text;
    size_t begin = 0;
  };
  std::vector<Part> parts;           // at least one
  std::optional<std::string> index;  // the literal between brackets
  size_t index_begin = 0;
};

struct Resolved {
  uint32_t name = 0;
  Type type = Type::kNull;
  std::string member;
};

// The longest known name that begins the reference, and the member that the rest is.
absl::StatusOr<Resolved> Resolve(const Reference& reference, absl::Span<const Name> names);

}  // namespace weir::expr

#endif  // WEIR_LIB_EXPR_SCHEMA_H_
