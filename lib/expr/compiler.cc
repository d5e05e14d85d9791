#include "expr/compiler.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/text.h"

namespace weir::expr {
namespace {

struct Operator {
  std::string_view text;
  OpCode op;
  int rank;
};
constexpr int kUnaryRank = 6;
constexpr int kLowestRank = 1;
constexpr Operator kBinary[] = {
    {"*", OpCode::kMultiply, 5},   {"/", OpCode::kDivide, 5},    {"%", OpCode::kModulo, 5},
    {"+", OpCode::kAdd, 4},        {"-", OpCode::kSubtract, 4},  {"<", OpCode::kLess, 3},
    {"<=", OpCode::kLessEqual, 3}, {">", OpCode::kGreater, 3},   {">=", OpCode::kGreaterEqual, 3},
    {"==", OpCode::kEqual, 3},     {"!=", OpCode::kNotEqual, 3}, {"&&", OpCode::kAnd, 2},
    {"||", OpCode::kOr, 1},
};

constexpr std::string_view kReserved[] = {
    "as",  "break", "const",   "continue",  "else",   "for", "function", "if",   "import",
    "let", "loop",  "package", "namespace", "return", "var", "void",     "while"};

template <size_t kSize>
bool OneOf(std::string_view word, const std::string_view (&words)[kSize]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "a boolean";
    case Type::kInt:
      return "an integer";
    case Type::kString:
      break;
  }
  return "a string";
}

absl::Status UnsupportedFunction(size_t begin, std::string_view name) {
  return ErrorAt(begin, Concat({"the function ", name.substr(0, 64), "() is not supported"}));
}

// The type of `left op right`, or kNull when the operator does not take them; picks the operator's
// form for strings.
Type ResultType(OpCode* op, Type left, Type right) {
  switch (*op) {
    case OpCode::kEqual:
    case OpCode::kNotEqual:
      return left == right || left == Type::kNull || right == Type::kNull ? Type::kBool
                                                                          : Type::kNull;
    case OpCode::kLess:
    case OpCode::kLessEqual:
    case OpCode::kGreater:
    case OpCode::kGreaterEqual:
      return left == right && left != Type::kNull ? Type::kBool : Type::kNull;
    case OpCode::kAnd:
    case OpCode::kOr:
      return left == Type::kBool && right == Type::kBool ? Type::kBool : Type::kNull;
    case OpCode::kAdd:
      if (left == Type::kString && right == Type::kString) {
        *op = OpCode::kConcat;
        return Type::kString;
      }
      break;
    default:
      break;
  }
  return left == Type::kInt && right == Type::kInt ? Type::kInt : Type::kNull;
}

}  // namespace

absl::Status Compiler::Compile() {
  if (source_.size() > kMaxSourceBytes) {
    return ErrorAt(kMaxSourceBytes, "the expression is longer than 4096 bytes");
  }
  if (const size_t bad = FindInvalidUtf8(source_); bad != std::string_view::npos) {
    return ErrorAt(bad, "expected UTF-8");
  }
  if (absl::Status status = Advance(); !status.ok()) return status;
  while (operand_expected_ || token_.kind != TokenKind::kEnd) {
    absl::Status status = operand_expected_ ? ParseOperand() : ParseAfterOperand();
    if (!status.ok()) return status;
  }
  if (absl::Status status = ParseEnd(); !status.ok()) return status;
  auto& used = code_->names_used;
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  return absl::OkStatus();
}

absl::Status Compiler::ParseOperand() {
  const bool after_minus = std::exchange(after_minus_, false);
  if (token_.IsSymbol("(")) {
    if (absl::Status status = Nest({Kind::kParenthesis}); !status.ok()) return status;
    return Advance();
  }
  if (token_.IsSymbol("!") || token_.IsSymbol("-")) {
    after_minus_ = token_.IsSymbol("-");
    const OpCode op = after_minus_ ? OpCode::kNegate : OpCode::kNot;
    if (absl::Status status = Nest({Kind::kUnary, op, kUnaryRank}); !status.ok()) return status;
    return Advance();
  }
  operand_expected_ = false;
  if (token_.kind == TokenKind::kString) {
    EmitConstant(Value::String(Keep(token_.string)));
    return Advance();
  }
  if (token_.kind == TokenKind::kInteger) return ParseInteger(after_minus);
  if (token_.kind == TokenKind::kIdentifier) return ParseWord();
  return RefuseOperand();
}

absl::Status Compiler::RefuseOperand() const {
  if (token_.IsSymbol("[")) return ErrorAt(token_.begin, "lists are not supported");
  if (token_.IsSymbol("{")) return ErrorAt(token_.begin, "maps and messages are not supported");
  if (token_.IsSymbol(".")) return ErrorAt(token_.begin, "a leading '.' is not supported");
  return ErrorAt(token_.begin, Concat({"expected a value, found ", Describe(token_)}));
}

// A minus right before an integer is part of it, so that the smallest integer can be written.
absl::Status Compiler::ParseInteger(bool after_minus) {
  uint64_t bits = token_.integer;
  if (after_minus) {
    pending_.pop_back();
    --nesting_;
    bits = -bits;
  } else if (bits > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return ErrorAt(token_.begin, "the integer does not fit in 64 bits");
  }
  EmitConstant(Value::Int(static_cast<int64_t>(bits)));
  return Advance();
}

absl::Status Compiler::ParseWord() {
  const bool is_true = token_.IsWord("true");
  if (is_true || token_.IsWord("false")) {
    EmitConstant(Value::Bool(is_true));
    return Advance();
  }
  if (token_.IsWord("null")) {
    EmitConstant(Value::Null());
    return Advance();
  }
  if (token_.IsWord("in")) return ErrorAt(token_.begin, "expected a value, found 'in'");
  if (OneOf(token_.text, kReserved)) {
    return ErrorAt(token_.begin,
                   Concat({"expected a name, found the reserved word ", Quoted(token_.text)}));
  }
  Reference reference;
  if (absl::Status status = ParseReference(&reference); !status.ok()) return status;
  if (!token_.IsSymbol("(")) return EmitLoad(reference);
  const Reference::Part& function = reference.parts.back();
  if (reference.parts.size() == 1 && function.text == "has") return ParsePresence();
  return UnsupportedFunction(function.begin, function.text);
}

// name { '.' member } [ '[' string ']' ]; stops before anything else.
absl::Status Compiler::ParseReference(Reference* reference) {
  constexpr std::string_view kNever[] = {"true", "false", "null", "in"};
  while (true) {
    if (token_.kind != TokenKind::kIdentifier || OneOf(token_.text, kNever)) {
      return ErrorAt(token_.begin, Concat({"expected a name, found ", Describe(token_)}));
    }
    reference->parts.push_back({token_.text, token_.begin});
    if (absl::Status status = Advance(); !status.ok()) return status;
    if (!token_.IsSymbol(".")) break;
    if (absl::Status status = Advance(); !status.ok()) return status;
  }
  if (!token_.IsSymbol("[")) return absl::OkStatus();
  if (absl::Status status = Advance(); !status.ok()) return status;
  if (token_.kind != TokenKind::kString) {
    return ErrorAt(token_.begin,
                   Concat({"expected a literal string as index, found ", Describe(token_)}));
  }
  reference->index = token_.string;
  reference->index_begin = token_.begin;
  if (absl::Status status = Advance(); !status.ok()) return status;
  if (!token_.IsSymbol("]")) {
    return ErrorAt(token_.begin,
                   Concat({"expected ']' after the literal string, found ", Describe(token_)}));
  }
  return Advance();
}

// has(a.b), from its parenthesis on.
absl::Status Compiler::ParsePresence() {
  if (absl::Status status = Advance(); !status.ok()) return status;
  const size_t begin = token_.begin;
  Reference reference;
  if (absl::Status status = ParseReference(&reference); !status.ok()) return status;
  if (reference.parts.size() < 2 || reference.index.has_value()) {
    return ErrorAt(begin, "has() takes a member, as in has(a.b); elsewhere compare with null");
  }
  if (!token_.IsSymbol(")")) {
    return ErrorAt(token_.begin, Concat({"expected ')', found ", Describe(token_)}));
  }
  if (absl::Status status = EmitLoad(reference); !status.ok()) return status;
  Pop();
  Emit(OpCode::kPresent);
  Push(Type::kBool);
  return Advance();
}

absl::Status Compiler::ParseAfterOperand() {
  if (token_.IsSymbol("?")) return ParseQuestion();
  if (token_.IsSymbol(":")) return ParseColon();
  if (token_.IsSymbol(")")) return ParseClose();
  if (token_.IsWord("in")) return ErrorAt(token_.begin, "the operator 'in' is not supported");
  if (token_.IsSymbol("[") || token_.IsSymbol(".")) return RefuseMember();
  if (token_.IsSymbol("{")) return ErrorAt(token_.begin, "maps and messages are not supported");
  return ParseBinary();
}

// A member or a method of a value that is no map.
absl::Status Compiler::RefuseMember() {
  absl::Status refusal = ErrorAt(token_.begin, "expected an operator; only maps have members");
  if (token_.IsSymbol("[")) return refusal;
  if (absl::Status status = Advance(); !status.ok()) return status;
  const Token name = token_;
  if (name.kind != TokenKind::kIdentifier) return refusal;
  if (absl::Status status = Advance(); !status.ok()) return status;
  return token_.IsSymbol("(") ? UnsupportedFunction(name.begin, name.text) : refusal;
}

absl::Status Compiler::ParseBinary() {
  const auto* found = std::find_if(std::begin(kBinary), std::end(kBinary),
                                   [this](const auto& op) { return token_.IsSymbol(op.text); });
  if (found == std::end(kBinary)) {
    return ErrorAt(token_.begin, Concat({"expected an operator, found ", Describe(token_)}));
  }
  if (absl::Status status = ReduceWhile(found->rank); !status.ok()) return status;
  Pending pending{Kind::kBinary, found->op, found->rank, token_.begin};
  if (found->op == OpCode::kAnd || found->op == OpCode::kOr) {
    if (types_.back() != Type::kBool) {
      return ErrorAt(token_.begin, Concat({Quoted(token_.text), " takes booleans, not ",
                                           TypeName(types_.back())}));
    }
    pending.patch = code_->instructions.size();
    Emit(found->op == OpCode::kAnd ? OpCode::kSkipIfFalse : OpCode::kSkipIfTrue);
  }
  pending_.push_back(pending);
  operand_expected_ = true;
  return Advance();
}

absl::Status Compiler::ParseQuestion() {
  if (absl::Status status = ReduceWhile(kLowestRank); !status.ok()) return status;
  if (!pending_.empty() && pending_.back().kind == Kind::kQuestion) {
    return ErrorAt(token_.begin, "a conditional between '?' and ':' needs parentheses");
  }
  if (types_.back() != Type::kBool) {
    return ErrorAt(token_.begin,
                   Concat({"'?' takes a boolean before it, not ", TypeName(types_.back())}));
  }
  Pop();
  Pending pending{Kind::kQuestion};
  pending.patch = code_->instructions.size();
  Emit(OpCode::kBranch);
  operand_expected_ = true;
  if (absl::Status status = Nest(pending); !status.ok()) return status;
  return Advance();
}

absl::Status Compiler::ParseColon() {
  if (absl::Status status = ReduceWhile(kLowestRank); !status.ok()) return status;
  if (pending_.empty() || pending_.back().kind != Kind::kQuestion) {
    return ErrorAt(token_.begin, "expected a '?' before this ':'");
  }
  Pending& conditional = pending_.back();
  const size_t jump = code_->instructions.size();
  Emit(OpCode::kJump);
  // Both get the end as a target when it is known; until then the jump's `b` says where the branch
  // is.
  code_->instructions[conditional.patch].a = static_cast<uint32_t>(jump + 1);
  code_->instructions[jump].b = static_cast<uint32_t>(conditional.patch);
  conditional.kind = Kind::kColon;
  conditional.patch = jump;
  conditional.type = Pop();
  operand_expected_ = true;
  return Advance();
}

absl::Status Compiler::ParseClose() {
  if (absl::Status status = ReduceWhile(kLowestRank); !status.ok()) return status;
  while (!pending_.empty() && pending_.back().kind == Kind::kColon) {
    const Pending conditional = pending_.back();
    pending_.pop_back();
    if (absl::Status status = Finish(conditional); !status.ok()) return status;
  }
  if (pending_.empty()) return ErrorAt(token_.begin, "this ')' closes nothing");
  if (pending_.back().kind == Kind::kQuestion) {
    return ErrorAt(token_.begin, "expected ':' before this ')'");
  }
  pending_.pop_back();
  --nesting_;
  return Advance();
}

absl::Status Compiler::ParseEnd() {
  while (!pending_.empty()) {
    const Pending last = pending_.back();
    pending_.pop_back();
    if (last.kind == Kind::kParenthesis) return ErrorAt(last.begin, "this '(' is not closed");
    if (last.kind == Kind::kQuestion) return ErrorAt(token_.begin, "expected ':', found the end");
    if (absl::Status status = Finish(last); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Compiler::Nest(Pending pending) {
  if (++nesting_ > kMaxNesting) {
    return ErrorAt(token_.begin, "the expression is nested more than 64 deep");
  }
  pending.begin = token_.begin;
  pending_.push_back(pending);
  return absl::OkStatus();
}

// Emits the pending operators that bind at least as tightly as `rank`.
absl::Status Compiler::ReduceWhile(int rank) {
  while (!pending_.empty() && pending_.back().rank >= rank) {
    const Pending last = pending_.back();
    pending_.pop_back();
    if (absl::Status status = Finish(last); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Compiler::Finish(const Pending& pending) {
  if (pending.kind == Kind::kUnary) return FinishUnary(pending);
  if (pending.kind == Kind::kColon) return FinishConditional(pending);
  return FinishBinary(pending);
}

absl::Status Compiler::FinishUnary(const Pending& pending) {
  --nesting_;
  const bool is_not = pending.op == OpCode::kNot;
  const Type wanted = is_not ? Type::kBool : Type::kInt;
  if (types_.back() != wanted) {
    return ErrorAt(pending.begin, Concat({is_not ? "'!'" : "'-'", " takes ", TypeName(wanted),
                                          ", not ", TypeName(types_.back())}));
  }
  Emit(pending.op);
  return absl::OkStatus();
}

absl::Status Compiler::FinishBinary(const Pending& pending) {
  const Type right = Pop();
  const Type left = Pop();
  OpCode op = pending.op;
  const Type result = ResultType(&op, left, right);
  if (result == Type::kNull) {
    const auto* found = std::find_if(std::begin(kBinary), std::end(kBinary),
                                     [&](const auto& entry) { return entry.op == pending.op; });
    return ErrorAt(pending.begin, Concat({Quoted(found->text), " does not take ", TypeName(left),
                                          " and ", TypeName(right)}));
  }
  Emit(op);
  if (op == OpCode::kAnd || op == OpCode::kOr) Patch(pending.patch);
  Push(result);
  return absl::OkStatus();
}

absl::Status Compiler::FinishConditional(const Pending& pending) {
  --nesting_;
  const Type otherwise = Pop();
  if (pending.type != otherwise && pending.type != Type::kNull && otherwise != Type::kNull) {
    return ErrorAt(pending.begin, Concat({"'?:' gives either ", TypeName(pending.type), " or ",
                                          TypeName(otherwise), ": expected one type"}));
  }
  Instruction& jump = code_->instructions[pending.patch];
  const auto end = static_cast<uint32_t>(code_->instructions.size());
  code_->instructions[jump.b].b = end;
  jump.a = end;
  jump.b = 0;
  Push(pending.type == Type::kNull ? otherwise : pending.type);
  return absl::OkStatus();
}

void Compiler::Emit(OpCode op, uint32_t a) { code_->instructions.push_back({op, a, 0}); }

void Compiler::EmitConstant(const Value& value) {
  Emit(OpCode::kConstant, static_cast<uint32_t>(code_->constants.size()));
  code_->constants.push_back(value);
  Push(value.type);
}

absl::Status Compiler::EmitLoad(const Reference& reference) {
  absl::StatusOr<Resolved> resolved = Resolve(reference, names_);
  if (!resolved.ok()) return resolved.status();
  Emit(OpCode::kLoad, static_cast<uint32_t>(code_->loads.size()));
  code_->loads.push_back({resolved->name, resolved->type, Keep(std::move(resolved->member))});
  code_->names_used.push_back(resolved->name);
  Push(resolved->type);
  return absl::OkStatus();
}

void Compiler::Patch(size_t instruction) {
  code_->instructions[instruction].a = static_cast<uint32_t>(code_->instructions.size());
}

std::string_view Compiler::Keep(std::string text) {
  return code_->texts.emplace_back(std::move(text));
}

void Compiler::Push(Type type) {
  types_.push_back(type);
  code_->stack_slots = std::max(code_->stack_slots, types_.size());
}

Type Compiler::Pop() {
  const Type type = types_.back();
  types_.pop_back();
  return type;
}

}  // namespace weir::expr
