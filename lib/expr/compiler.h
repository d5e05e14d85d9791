// Source to code, in one pass.

#ifndef WEIR_LIB_EXPR_COMPILER_H_
#define WEIR_LIB_EXPR_COMPILER_H_

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "expr/code.h"
#include "expr/lexer.h"
#include "expr/schema.h"
#include "weir/expr.h"

namespace weir::expr {

// An operator-precedence parser (Dijkstra's shunting yard) with its own stack: operands are emitted
// as they are read, operators when nothing that binds tighter can follow. Types are checked as
// operators are emitted, on a stack that mirrors the one of the evaluation.
class Compiler {
 public:
  Compiler(std::string_view source, absl::Span<const Name> names, Code* code)
      : lexer_(source), source_(source), names_(names), code_(code) {}

  absl::Status Compile();

 private:
  enum class Kind : uint8_t { kParenthesis, kQuestion, kColon, kUnary, kBinary };
  struct Pending {
    Kind kind = Kind::kParenthesis;
    OpCode op = OpCode::kConstant;
    int rank = 0;             // binds tighter when higher; 0 for what is no operator
    size_t begin = 0;         // in the source
    size_t patch = 0;         // the jump to complete when this is done
    Type type = Type::kNull;  // kColon: of the value before the colon
  };

  absl::Status Advance() { return lexer_.Next(&token_); }
  absl::Status ParseOperand();
  absl::Status ParseAfterOperand();
  absl::Status ParseBinary();
  absl::Status ParseQuestion();
  absl::Status ParseColon();
  absl::Status ParseClose();
  absl::Status ParseEnd();
  absl::Status ParseWord();
  absl::Status ParseReference(Reference* reference);
  absl::Status ParsePresence();
  absl::Status ParseInteger(bool after_minus);
  absl::Status RefuseOperand() const;
  absl::Status RefuseMember();

  absl::Status Nest(Pending pending);
  absl::Status Finish(const Pending& pending);
  absl::Status FinishUnary(const Pending& pending);
  absl::Status FinishBinary(const Pending& pending);
  absl::Status FinishConditional(const Pending& pending);
  absl::Status ReduceWhile(int rank);

  void Emit(OpCode op, uint32_t a = 0);
  void EmitConstant(const Value& value);
  absl::Status EmitLoad(const Reference& reference);
  void Patch(size_t instruction);
  std::string_view Keep(std::string text);
  void Push(Type type);
  Type Pop();

  Lexer lexer_;
  std::string_view source_;
  absl::Span<const Name> names_;
  Code* code_;
  Token token_;
  std::vector<Pending> pending_;
  std::vector<Type> types_;
  int nesting_ = 0;
  bool after_minus_ = false;  // the last token was a unary minus
  bool operand_expected_ = true;
};

}  // namespace weir::expr

#endif  // WEIR_LIB_EXPR_COMPILER_H_
