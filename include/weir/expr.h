// weir/expr.h: keys, conditions and dimension values as expressions.
//
// A subset of CEL (Common Expression Language), its syntax and semantics: literals (strings in
// single or double quotes, integers, true, false, null), names and members (`consumer.team`),
// indexing (`request.headers['x-app']`), `+`, `== != < <= > >=`, `&& || !`, `?:`, parentheses.
// Names, members and operand types are checked when compiled; evaluation takes a bounded number of
// steps (the program is straight code, no loops) and allocates only to concatenate.
//
//   auto p = weir::expr::Program::Compile("consumer.team + '/' + model", schema);
//   std::string_view key = (*p)->EvalString(env, &scratch).value_or("");
//
// A member that is not there gives null; an expression over null is null, except in == and != and
// where && || ?: do not need it. Threads: immutable after Compile.
// Limits: 4,096 bytes of source, nesting of 64.

#ifndef WEIR_EXPR_H_
#define WEIR_EXPR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"

namespace weir::expr {

enum class Type : uint8_t { kNull, kBool, kInt, kString };

struct Value {
  Type type = Type::kNull;
  bool boolean = false;
  int64_t integer = 0;
  std::string_view text;  // into the environment, the program, or the scratch of the evaluation

  static Value Null() { return {}; }
  static Value Bool(bool b) { return {Type::kBool, b, 0, {}}; }
  static Value Int(int64_t i) { return {Type::kInt, false, i, {}}; }
  static Value String(std::string_view s) { return {Type::kString, false, 0, s}; }
};

// A name that expressions may use.
struct Name {
  enum class Kind : uint8_t {
    kScalar,    // used bare: `model`
    kFixedMap,  // members known when compiling: `usage.prompt`
    kOpenMap,   // any member: `attr.x`, `request.headers['x-app']`
  };
  std::string name;  // may be dotted: "request.headers"
  Kind kind = Kind::kScalar;
  Type type = Type::kString;         // of the scalar, or of the members
  std::vector<std::string> members;  // of a fixed map
};

// What the names stand for in one evaluation. `name` is the index into the schema's names;
// `member` is empty for scalars.
class Environment {
 public:
  virtual ~Environment() = default;
  virtual Value Lookup(uint32_t name, std::string_view member) const = 0;
};

class Program {
 public:
  // INVALID_ARGUMENT: the message starts with "column N: ", says what was expected, and for an
  // unknown name or member the nearest known one. `names` is copied.
  static absl::StatusOr<std::unique_ptr<Program>> Compile(std::string_view source,
                                                          absl::Span<const Name> names);
  virtual ~Program() = default;

  virtual std::string_view source() const = 0;

  // `scratch` receives concatenated text and must outlive the value.
  virtual Value Eval(const Environment& env, std::string* scratch) const = 0;

  // The value as text (integers in decimal, true/false); nullopt for null.
  std::optional<std::string_view> EvalString(const Environment& env, std::string* scratch) const;

  // Which names (indices into the schema) the expression reads.
  virtual absl::Span<const uint32_t> names_used() const = 0;
};

}  // namespace weir::expr

#endif  // WEIR_EXPR_H_
