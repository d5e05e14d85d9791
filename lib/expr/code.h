// What an expression is compiled to: straight code for a machine with a small stack of values.

#ifndef WEIR_LIB_EXPR_CODE_H_
#define WEIR_LIB_EXPR_CODE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "weir/expr.h"

namespace weir::expr {

enum class OpCode : uint8_t {
  kConstant,  // push constants[a]
  kLoad,      // push loads[a]
  kPresent,   // x → x != null
  kNot,       // x → !x
  kNegate,    // x → -x
  kMultiply,  // from here to kOr: x y → x op y; null if either is null, but for the last four
  kDivide,
  kModulo,
  kAdd,
  kSubtract,
  kConcat,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kEqual,
  kNotEqual,
  kAnd,
  kOr,
  kSkipIfFalse,  // the left side of && decides: to a, leaving it
  kSkipIfTrue,   // the left side of || decides: to a, leaving it
  kBranch,       // pop the condition; true: go on, false: to a, null: push null, to b
  kJump,         // to a
};

struct Instruction {
  OpCode code = OpCode::kConstant;
  uint32_t a = 0;
  uint32_t b = 0;
};

struct Load {
  uint32_t name = 0;
  Type type = Type::kNull;  // what the environment must give, or it counts as null
  std::string_view member;
};

struct Code {
  std::vector<Instruction> instructions;  // every jump is forward
  std::vector<Value> constants;
  std::vector<Load> loads;
  std::deque<std::string> texts;  // what constants and members point into
  std::vector<uint32_t> names_used;
  size_t stack_slots = 0;
};

// Each nesting level holds at most one operand for each of the five ranks of binary operators.
inline constexpr size_t kMaxStackSlots = 5 * (kMaxNesting + 1) + 1;

}  // namespace weir::expr

#endif  // WEIR_LIB_EXPR_CODE_H_
