// weir/expr.h: keys, conditions and dimension values as expressions.
//
// A subset of CEL (Common Expression Language; cel-spec, doc/langdef.md), its syntax and semantics:
//
//   literals     'text' "text" 12 0x1F true false null, with CEL's escapes (\n \t \\ \' \" \xHH
//   \uHHHH
//                \UHHHHHHHH \ooo …) in strings
//   names        model, consumer.team, request.headers['x-app'] (indexed by one literal string)
//   has(a.b)     whether the member is there
//   - ! * / % + - < <= > >= == != && || ?:   with CEL's precedences; parentheses; // comments
//
// `+` adds integers and joins strings; the other arithmetic is of integers; comparisons take two
// booleans, integers or strings. Anything else of CEL (functions, lists, doubles, `in`) is refused
// by name. Names, members and the types of operands are checked when compiled.
//
//   std::vector<weir::expr::Name> names(2);
//   names[0] = {"consumer", Name::Kind::kFixedMap, Type::kString, {"id", "team"}};
//   names[1] = {"model"};
//   auto p = weir::expr::Program::Compile("consumer.team + '/' + model", names);
//   std::string_view key = (*p)->EvalString(env, &scratch).value_or("");
//
// Missing values: a member that is not there is null, and so is an expression over null, except
// that `==` and `!=` compare with null, and that && || ?: give a value where that does not depend
// on the null (false && null is false, in either order; true && null is null; null ? a : b is
// null). Where CEL stops with an error, the result is null as well: an integer that overflows,
// division by zero.
//
// Threads: immutable after Compile; any number may evaluate at once, each with its own scratch.
// Cost: straight code without loops, each instruction at most once; no allocation but for the
// growth of the scratch. Limits: 4,096 bytes of source, nesting of 64 (parentheses, unary
// operators, ?:).

#ifndef WEIR_EXPR_H_
#define WEIR_EXPR_H_

#include <cstddef>
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

inline constexpr size_t kMaxSourceBytes = 4096;
inline constexpr int kMaxNesting = 64;

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

// A name that expressions may use. A longer name wins over a member of a shorter one: with
// "request" and "request.headers", `request.headers.host` is a member of the latter.
struct Name {
  enum class Kind : uint8_t {
    kScalar,    // used bare: `model`
    kFixedMap,  // members known when compiling: `usage.prompt`
    kOpenMap,   // any member: `attr.x`, `request.headers['x-app']`; several in a row are one
                // member with dots: `body.metadata.user` is member "metadata.user" of `body`
  };
  std::string name;  // may be dotted: "request.headers"
  Kind kind = Kind::kScalar;
  Type type = Type::kString;              // of the scalar, or of the members
  std::vector<std::string> members = {};  // of a fixed map
};

// What the names stand for in one evaluation.
class Environment {
 public:
  virtual ~Environment() = default;

  // `name` is the index into the schema's names; `member` is empty for scalars, else as the
  // expression has it (no case is changed). Null for what is not there; a value of another type
  // than the name's counts as null. Text must stay until the evaluation's value is used up, and
  // must not lie in the evaluation's scratch.
  virtual Value Lookup(uint32_t name, std::string_view member) const = 0;
};

class Program {
 public:
  // INVALID_ARGUMENT: the message starts with "column N: " (bytes, from 1), says what was expected,
  // and for an unknown name or member the nearest known one. `names` is copied.
  static absl::StatusOr<std::unique_ptr<Program>> Compile(std::string_view source,
                                                          absl::Span<const Name> names);
  virtual ~Program() = default;

  virtual std::string_view source() const = 0;

  // `scratch` (not null) is cleared and receives concatenated text: it must outlive the value, and
  // its next use ends the value.
  virtual Value Eval(const Environment& env, std::string* scratch) const = 0;

  // The value as text (integers in decimal, true/false); nullopt for null.
  std::optional<std::string_view> EvalString(const Environment& env, std::string* scratch) const;

  // Which names (indices into the schema, ascending, each once) the expression reads.
  virtual absl::Span<const uint32_t> names_used() const = 0;
};

}  // namespace weir::expr

#endif  // WEIR_EXPR_H_
