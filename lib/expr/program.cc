#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "absl/base/attributes.h"
#include "expr/code.h"
#include "expr/compiler.h"
#include "weir/expr.h"

namespace weir::expr {
namespace {

// A value under evaluation. Left uninitialised on purpose: the stack is made for every evaluation.
// Text in the scratch is an offset, as the scratch moves when it grows.
struct Slot {
  Type type;
  bool in_scratch;
  union {
    int64_t integer;  // also booleans
    const char* data;
    size_t offset;
  };
  size_t size;
};

class Machine {
 public:
  Machine(const Code& code, const Environment& env, Slot* stack, std::string* scratch)
      : code_(code), env_(env), top_(stack), scratch_(scratch) {}

  Value Run();

 private:
  void PushNull() { (top_++)->type = Type::kNull; }
  void PushBool(bool value) { PushInteger(Type::kBool, value ? 1 : 0); }
  void PushInteger(Type type, int64_t value) {
    top_->type = type;
    top_->integer = value;
    ++top_;
  }
  void Push(const Value& value);
  std::string_view Text(const Slot& slot) const {
    return {slot.in_scratch ? scratch_->data() + slot.offset : slot.data, slot.size};
  }

  void PushLoaded(const Load& load);
  void Unary(OpCode op);
  void Binary(OpCode op);
  void Arithmetic(OpCode op, int64_t left, int64_t right);
  void Compare(OpCode op, const Slot& left, const Slot& right);
  void Logic(OpCode op, const Slot& left, const Slot& right);
  void Concatenate(const Slot& left, const Slot& right);

  const Code& code_;
  const Environment& env_;
  Slot* top_;  // above the topmost value
  std::string* scratch_;
};

void Machine::Push(const Value& value) {
  Slot& slot = *top_++;
  slot.type = value.type;
  if (value.type == Type::kString) {
    slot.in_scratch = false;
    slot.data = value.text.data();
    slot.size = value.text.size();
  } else {
    slot.integer = value.type == Type::kBool ? static_cast<int64_t>(value.boolean) : value.integer;
  }
}

void Machine::PushLoaded(const Load& load) {
  const Value value = env_.Lookup(load.name, load.member);
  if (value.type == load.type) {
    Push(value);
  } else {
    PushNull();
  }
}

void Machine::Unary(OpCode op) {
  Slot& slot = top_[-1];
  if (op == OpCode::kPresent) {
    slot.integer = slot.type != Type::kNull ? 1 : 0;
    slot.type = Type::kBool;
  } else if (slot.type == Type::kNull) {
    return;
  } else if (op == OpCode::kNot) {
    slot.integer = 1 - slot.integer;
  } else if (__builtin_sub_overflow(int64_t{0}, slot.integer, &slot.integer)) {
    slot.type = Type::kNull;
  }
}

void Machine::Arithmetic(OpCode op, int64_t left, int64_t right) {
  int64_t result = 0;
  bool fails = false;
  switch (op) {
    case OpCode::kAdd:
      fails = __builtin_add_overflow(left, right, &result);
      break;
    case OpCode::kSubtract:
      fails = __builtin_sub_overflow(left, right, &result);
      break;
    case OpCode::kMultiply:
      fails = __builtin_mul_overflow(left, right, &result);
      break;
    default:
      // The one quotient that overflows is also the one remainder that traps.
      fails = right == 0 || (right == -1 && left == std::numeric_limits<int64_t>::min());
      if (!fails) result = op == OpCode::kDivide ? left / right : left % right;
  }
  if (fails) {
    PushNull();
  } else {
    PushInteger(Type::kInt, result);
  }
}

void Machine::Compare(OpCode op, const Slot& left, const Slot& right) {
  const int order = left.type == Type::kString     ? Text(left).compare(Text(right))
                    : left.integer < right.integer ? -1
                                                   : static_cast<int>(left.integer > right.integer);
  switch (op) {
    case OpCode::kLess:
      return PushBool(order < 0);
    case OpCode::kLessEqual:
      return PushBool(order <= 0);
    case OpCode::kGreater:
      return PushBool(order > 0);
    case OpCode::kGreaterEqual:
      return PushBool(order >= 0);
    case OpCode::kEqual:
      return PushBool(order == 0);
    default:
      return PushBool(order != 0);
  }
}

// One side that decides is enough, whatever the other one is.
void Machine::Logic(OpCode op, const Slot& left, const Slot& right) {
  const int64_t decisive = op == OpCode::kOr ? 1 : 0;
  const bool left_null = left.type == Type::kNull;
  const bool right_null = right.type == Type::kNull;
  if ((!left_null && left.integer == decisive) || (!right_null && right.integer == decisive)) {
    PushBool(decisive == 1);
  } else if (left_null || right_null) {
    PushNull();
  } else {
    PushBool(decisive == 0);
  }
}

void Machine::Concatenate(const Slot& left, const Slot& right) {
  // Where the left side is already the end of the scratch only the right one is added: an
  // expression that joins many parts copies each of them once.
  const bool extends = left.in_scratch && left.offset + left.size == scratch_->size();
  const size_t begin = extends ? left.offset : scratch_->size();
  const size_t end = scratch_->size();
  scratch_->resize(begin + left.size + right.size);
  // Only now do the views hold: growing may have moved what they point to.
  if (!extends) std::copy_n(Text(left).data(), left.size, scratch_->data() + begin);
  std::copy_n(Text(right).data(), right.size, scratch_->data() + (extends ? end : end + left.size));
  top_->type = Type::kString;
  top_->in_scratch = true;
  top_->offset = begin;
  top_->size = scratch_->size() - begin;
  ++top_;
}

void Machine::Binary(OpCode op) {
  top_ -= 2;
  const Slot left = top_[0];
  const Slot right = top_[1];
  if (op == OpCode::kAnd || op == OpCode::kOr) return Logic(op, left, right);
  if (left.type == Type::kNull || right.type == Type::kNull) {
    if (op != OpCode::kEqual && op != OpCode::kNotEqual) return PushNull();
    return PushBool((left.type == right.type) == (op == OpCode::kEqual));
  }
  if (op == OpCode::kConcat) return Concatenate(left, right);
  if (op >= OpCode::kLess) return Compare(op, left, right);
  Arithmetic(op, left.integer, right.integer);
}

Value Machine::Run() {
  const Instruction* const begin = code_.instructions.data();
  const Instruction* const end = begin + code_.instructions.size();
  for (const Instruction* at = begin; at != end;) {
    const Instruction& instruction = *at++;
    switch (instruction.code) {
      case OpCode::kConstant:
        Push(code_.constants[instruction.a]);
        break;
      case OpCode::kLoad:
        PushLoaded(code_.loads[instruction.a]);
        break;
      case OpCode::kPresent:
      case OpCode::kNot:
      case OpCode::kNegate:
        Unary(instruction.code);
        break;
      case OpCode::kSkipIfFalse:
      case OpCode::kSkipIfTrue: {
        const int64_t decisive = instruction.code == OpCode::kSkipIfTrue ? 1 : 0;
        if (top_[-1].type != Type::kNull && top_[-1].integer == decisive) {
          at = begin + instruction.a;
        }
        break;
      }
      case OpCode::kBranch:
        --top_;
        if (top_->type == Type::kNull) {
          PushNull();
          at = begin + instruction.b;
        } else if (top_->integer == 0) {
          at = begin + instruction.a;
        }
        break;
      case OpCode::kJump:
        at = begin + instruction.a;
        break;
      default:
        Binary(instruction.code);
    }
  }
  const Slot& result = top_[-1];
  switch (result.type) {
    case Type::kBool:
      return Value::Bool(result.integer != 0);
    case Type::kInt:
      return Value::Int(result.integer);
    case Type::kString:
      return Value::String(Text(result));
    case Type::kNull:
      break;
  }
  return Value::Null();
}

class ProgramImpl final : public Program {
 public:
  explicit ProgramImpl(std::string_view source) : source_(source) {}

  absl::Status Compile(absl::Span<const Name> names) {
    return Compiler(source_, names, &code_).Compile();
  }

  std::string_view source() const override { return source_; }
  absl::Span<const uint32_t> names_used() const override { return code_.names_used; }

  Value Eval(const Environment& env, std::string* scratch) const override {
    scratch->clear();
    if (code_.stack_slots > kShallowSlots) return EvalDeep(env, scratch);
    std::array<Slot, kShallowSlots> stack;
    return Machine(code_, env, stack.data(), scratch).Run();
  }

 private:
  static constexpr size_t kShallowSlots = 16;

  // Apart, so that only expressions that need the large stack have it.
  ABSL_ATTRIBUTE_NOINLINE Value EvalDeep(const Environment& env, std::string* scratch) const {
    std::array<Slot, kMaxStackSlots> stack;
    return Machine(code_, env, stack.data(), scratch).Run();
  }

  const std::string source_;
  Code code_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Program>> Program::Compile(std::string_view source,
                                                          absl::Span<const Name> names) {
  // A source that is too long is refused before it is copied whole.
  auto program = std::make_unique<ProgramImpl>(source.substr(0, kMaxSourceBytes + 1));
  if (absl::Status status = program->Compile(names); !status.ok()) return status;
  return program;
}

std::optional<std::string_view> Program::EvalString(const Environment& env,
                                                    std::string* scratch) const {
  const Value value = Eval(env, scratch);
  switch (value.type) {
    case Type::kNull:
      return std::nullopt;
    case Type::kBool:
      return value.boolean ? "true" : "false";
    case Type::kString:
      return value.text;
    case Type::kInt:
      break;
  }
  std::array<char, 20> digits;  // -9223372036854775808
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value.integer).ptr;
  scratch->assign(digits.data(), end);
  return *scratch;
}

}  // namespace weir::expr
