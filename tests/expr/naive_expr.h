// A naive twin of weir/expr.h: recursive descent to a tree, a walk over the tree. Written from the
// grammar of CEL's language definition, for short inputs, and sharing no code with the library.

#ifndef WEIR_TESTS_EXPR_NAIVE_EXPR_H_
#define WEIR_TESTS_EXPR_NAIVE_EXPR_H_

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weir/expr.h"

namespace weir::testing {

struct NaiveValue {
  char type = '0';  // 0 null, b boolean, i integer, s string
  int64_t number = 0;
  std::string text;
  friend bool operator==(const NaiveValue& a, const NaiveValue& b) {
    return a.type == b.type && a.number == b.number && a.text == b.text;
  }
};

struct NaiveNode {
  std::string op;  // "value", "name", "has", "?:", or the operator
  char type = '0';
  NaiveValue value;
  uint32_t name = 0;
  std::vector<std::unique_ptr<NaiveNode>> operands;
};

class NaiveExpr {
 public:
  using Node = std::unique_ptr<NaiveNode>;

  NaiveExpr(std::string source, const std::vector<expr::Name>& names)
      : source_(std::move(source)), names_(names) {
    root_ = Conditional();
    Blank();
    if (at_ != source_.size()) root_ = nullptr;
  }

  bool ok() const { return root_ != nullptr; }
  NaiveValue Eval(const expr::Environment& env) const { return Walk(*root_, env); }

 private:
  void Blank() {
    while (at_ < source_.size() &&
           std::string(" \t\n\r\f").find(source_[at_]) != std::string::npos) {
      ++at_;
    }
  }

  bool Take(const std::string& symbol) {
    Blank();
    if (source_.compare(at_, symbol.size(), symbol) != 0) return false;
    // The longest symbol wins: `!` is not the start of `!=`.
    if (symbol == "!" && at_ + 1 < source_.size() && source_[at_ + 1] == '=') return false;
    if ((symbol == "<" || symbol == ">") && source_.compare(at_ + 1, 1, "=") == 0) return false;
    at_ += symbol.size();
    return true;
  }

  std::string Identifier() {
    Blank();
    const size_t begin = at_;
    while (at_ < source_.size() &&
           (std::isalnum(static_cast<unsigned char>(source_[at_])) != 0 || source_[at_] == '_')) {
      ++at_;
    }
    return source_.substr(begin, at_ - begin);
  }

  static Node Make(std::string op, char type, Node a = nullptr, Node b = nullptr,
                   Node c = nullptr) {
    auto node = std::make_unique<NaiveNode>();
    node->op = std::move(op);
    node->type = type;
    for (Node* operand : {&a, &b, &c}) {
      if (*operand != nullptr) node->operands.push_back(std::move(*operand));
    }
    return node;
  }

  Node Conditional() {
    Node condition = Level(0);
    if (condition == nullptr || !Take("?")) return condition;
    Node yes = Level(0);
    if (yes == nullptr || !Take(":")) return nullptr;
    Node no = Conditional();
    if (no == nullptr || condition->type != 'b') return nullptr;
    if (yes->type != no->type && yes->type != '0' && no->type != '0') return nullptr;
    const char type = yes->type == '0' ? no->type : yes->type;
    return Make("?:", type, std::move(condition), std::move(yes), std::move(no));
  }

  // '-' when the operands do not fit.
  static char TypeOf(const std::string& op, char a, char b) {
    const std::string pair = {a, b};
    if (op == "||" || op == "&&") return pair == "bb" ? 'b' : '-';
    if (op == "==" || op == "!=") return a == b || a == '0' || b == '0' ? 'b' : '-';
    if (op[0] == '<' || op[0] == '>') return a == b && a != '0' ? 'b' : '-';
    if (op == "+" && pair == "ss") return 's';
    return pair == "ii" ? 'i' : '-';
  }

  Node Level(size_t level) {
    static const std::vector<std::vector<std::string>> kLevels = {
        {"||"}, {"&&"}, {"<=", ">=", "==", "!=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}};
    if (level == kLevels.size()) return Unary();
    Node left = Level(level + 1);
    while (left != nullptr) {
      const auto& operators = kLevels[level];
      const auto op = std::find_if(operators.begin(), operators.end(),
                                   [this](const std::string& text) { return Take(text); });
      if (op == operators.end()) return left;
      Node right = Level(level + 1);
      if (right == nullptr) return nullptr;
      const char type = TypeOf(*op, left->type, right->type);
      if (type == '-') return nullptr;
      left = Make(*op, type, std::move(left), std::move(right));
    }
    return nullptr;
  }

  Node Unary() {
    if (Take("!")) {
      Node operand = Unary();
      if (operand == nullptr || operand->type != 'b') return nullptr;
      return Make("!", 'b', std::move(operand));
    }
    if (Take("-")) {
      Blank();
      const bool literal = at_ < source_.size() && std::isdigit(source_[at_]) != 0;
      if (literal) return Number("-");
      Node operand = Unary();
      if (operand == nullptr || operand->type != 'i') return nullptr;
      return Make("neg", 'i', std::move(operand));
    }
    return Primary();
  }

  Node Constant(char type, int64_t number, std::string text) {
    Node node = Make("value", type);
    node->value = {type, number, std::move(text)};
    return node;
  }

  Node Number(const std::string& sign) {
    const std::string digits = Identifier();
    if (digits.find_first_not_of("0123456789") != std::string::npos) return nullptr;
    if (at_ < source_.size() && source_[at_] == '.') return nullptr;
    try {
      return Constant('i', std::stoll(sign + digits), "");
    } catch (const std::out_of_range&) {
      return nullptr;
    }
  }

  std::optional<std::string> StringLiteral() {
    Blank();
    const char quote = source_[at_++];
    std::string text;
    while (at_ < source_.size() && source_[at_] != quote) {
      char c = source_[at_++];
      if (c == '\\') {
        if (at_ == source_.size()) return std::nullopt;
        c = source_[at_++];
        const std::string letters = "abfnrtv";
        if (letters.find(c) != std::string::npos) {
          c = "\a\b\f\n\r\t\v"[letters.find(c)];
        } else if (std::string("\\\"'`?").find(c) == std::string::npos) {
          return std::nullopt;
        }
      }
      text.push_back(c);
    }
    if (at_ == source_.size()) return std::nullopt;
    ++at_;
    if (text.empty() && at_ < source_.size() && source_[at_] == quote) return std::nullopt;
    return text;
  }

  bool AtQuote() {
    Blank();
    return at_ < source_.size() && (source_[at_] == '\'' || source_[at_] == '"');
  }

  Node Primary() {
    if (Take("(")) {
      Node inner = Conditional();
      return inner != nullptr && Take(")") ? std::move(inner) : nullptr;
    }
    if (AtQuote()) {
      const auto text = StringLiteral();
      return text ? Constant('s', 0, *text) : nullptr;
    }
    if (at_ < source_.size() && std::isdigit(source_[at_]) != 0) return Number("");
    const size_t begin = at_;
    const std::string word = Identifier();
    if (word.empty()) return nullptr;
    if (word == "true" || word == "false") return Constant('b', word == "true" ? 1 : 0, "");
    if (word == "null") return Constant('0', 0, "");
    if (word == "has" && Take("(")) {
      bool indexed = false;
      size_t dots = 0;
      Node name = Name(&indexed, &dots);
      if (name == nullptr || indexed || dots == 0 || !Take(")")) return nullptr;
      return Make("has", 'b', std::move(name));
    }
    at_ = begin;
    bool indexed = false;
    size_t dots = 0;
    return Name(&indexed, &dots);
  }

  Node Name(bool* indexed, size_t* dots) {
    std::vector<std::string> parts;
    do {
      parts.push_back(Identifier());
      const std::string& part = parts.back();
      if (part.empty() || std::isdigit(part[0]) != 0) return nullptr;
      if (part == "true" || part == "false" || part == "null" || part == "in") return nullptr;
    } while (Take("."));
    *dots = parts.size() - 1;
    std::string index;
    if (Take("[")) {
      if (!AtQuote()) return nullptr;
      const auto literal = StringLiteral();
      if (!literal || !Take("]")) return nullptr;
      *indexed = true;
      index = *literal;
    }
    return Resolve(parts, *indexed, index);
  }

  static std::string Joined(const std::vector<std::string>& parts, size_t from, size_t to) {
    std::string text;
    for (size_t i = from; i < to; ++i) text.append(i == from ? "" : ".").append(parts[i]);
    return text;
  }

  Node Resolve(const std::vector<std::string>& parts, bool indexed, const std::string& index) {
    using Kind = expr::Name::Kind;
    for (size_t used = parts.size(); used > 0; --used) {
      for (size_t i = 0; i < names_.size(); ++i) {
        const expr::Name& name = names_[i];
        if (name.name != Joined(parts, 0, used)) continue;
        const size_t rest = parts.size() - used;
        const std::string member = indexed ? index : Joined(parts, used, parts.size());
        if (name.kind == Kind::kScalar && (rest != 0 || indexed)) return nullptr;
        if (name.kind != Kind::kScalar && (rest == 0) != indexed) return nullptr;
        if (name.kind == Kind::kFixedMap &&
            (rest > 1 || std::count(name.members.begin(), name.members.end(), member) == 0)) {
          return nullptr;
        }
        Node node = Make("name", "0bis"[static_cast<int>(name.type)]);
        node->name = static_cast<uint32_t>(i);
        node->value.text = member;
        return node;
      }
    }
    return nullptr;
  }

  static NaiveValue FromLibrary(const expr::Value& value, char type) {
    const char actual = "0bis"[static_cast<int>(value.type)];
    if (actual != type) return {};
    if (type == 's') return {'s', 0, std::string(value.text)};
    return {type, type == 'b' ? static_cast<int64_t>(value.boolean) : value.integer, ""};
  }

  static NaiveValue Bool(bool value) { return {'b', value ? 1 : 0, ""}; }

  static NaiveValue Integer(const std::string& op, int64_t a, int64_t b) {
    if ((op == "/" || op == "%") && b == 0) return {};
    if (op == "%" && a == INT64_MIN && b == -1) return {};
    __extension__ typedef __int128 Wide;
    const Wide wide = op == "+"   ? Wide{a} + b
                      : op == "-" ? Wide{a} - b
                      : op == "*" ? Wide{a} * b
                      : op == "/" ? Wide{a} / b
                                  : Wide{a} % b;
    if (wide > INT64_MAX || wide < INT64_MIN) return {};
    return {'i', static_cast<int64_t>(wide), ""};
  }

  static NaiveValue Ordered(const std::string& op, const NaiveValue& a, const NaiveValue& b) {
    const auto left = std::make_pair(a.number, a.text);
    const auto right = std::make_pair(b.number, b.text);
    if (op == "<") return Bool(left < right);
    if (op == "<=") return Bool(left <= right);
    if (op == ">") return Bool(left > right);
    return Bool(left >= right);
  }

  static NaiveValue Logic(const std::string& op, const NaiveValue& a, const NaiveValue& b) {
    const NaiveValue decisive = Bool(op == "||");
    if (a == decisive || b == decisive) return decisive;
    if (a.type == '0' || b.type == '0') return {};
    return Bool(op == "&&");
  }

  static NaiveValue Walk(const NaiveNode& node, const expr::Environment& env) {
    if (node.op == "value") return node.value;
    if (node.op == "name") return FromLibrary(env.Lookup(node.name, node.value.text), node.type);
    const NaiveValue a = Walk(*node.operands[0], env);
    if (node.op == "has") return Bool(a.type != '0');
    if (node.op == "!") return a.type == '0' ? a : Bool(a.number == 0);
    if (node.op == "neg") return a.type == '0' ? a : Integer("-", 0, a.number);
    if (node.op == "?:") {
      if (a.type == '0') return {};
      return Walk(*node.operands[a.number != 0 ? 1 : 2], env);
    }
    const NaiveValue b = Walk(*node.operands[1], env);
    if (node.op == "&&" || node.op == "||") return Logic(node.op, a, b);
    if (node.op == "==") return Bool(a == b);
    if (node.op == "!=") return Bool(!(a == b));
    if (a.type == '0' || b.type == '0') return {};
    if (node.op[0] == '<' || node.op[0] == '>') return Ordered(node.op, a, b);
    if (node.type == 's') return {'s', 0, a.text + b.text};
    return Integer(node.op, a.number, b.number);
  }

  std::string source_;
  const std::vector<expr::Name>& names_;
  size_t at_ = 0;
  Node root_;
};

}  // namespace weir::testing

#endif  // WEIR_TESTS_EXPR_NAIVE_EXPR_H_
