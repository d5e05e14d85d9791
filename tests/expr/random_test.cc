// Random programs, well-typed, ill-typed and broken, against the naive twin.

#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/expr/naive_expr.h"
#include "tests/expr/test_env.h"
#include "tests/support/catch.h"
#include "weir/expr.h"

namespace weir::expr {
namespace {

using testing::MapEnvironment;
using testing::NaiveExpr;
using testing::NaiveValue;
using testing::TestEnvironment;
using testing::TestSchema;

// Writes expressions as people do: operators without parentheses as often as with.
class Generator {
 public:
  Generator(uint64_t seed, uint64_t wrong_in_1000) : random_(seed), wrong_(wrong_in_1000) {}

  std::string Expression(char type, int depth) {
    if (random_.Below(1000) < wrong_) type = "0bis"[random_.Below(4)];
    if (depth == 0 || random_.Below(4) == 0) return Leaf(type);
    switch (random_.Below(6)) {
      case 0:
        return Concat({"(", Expression(type, depth - 1), ")"});
      case 1:
        return Choice(type, depth - 1);
      default:
        return Operation(type, depth - 1);
    }
  }

  // Deletes, doubles or swaps some characters.
  std::string Break(std::string text) {
    for (uint64_t i = random_.Below(3) + 1; i > 0 && !text.empty(); --i) {
      const size_t at = random_.Below(text.size());
      switch (random_.Below(3)) {
        case 0:
          text.erase(at, 1);
          break;
        case 1:
          text.insert(at, 1, "()!-+?:&|<=>'.[] "[random_.Below(17)]);
          break;
        default:
          std::swap(text[at], text[random_.Below(text.size())]);
      }
    }
    return text;
  }

 private:
  std::string Pick(const std::vector<std::string>& from) {
    return from[random_.Below(from.size())];
  }
  std::string Blank() { return random_.Below(2) == 0 ? " " : ""; }

  std::string Join(const std::string& a, const std::string& op, const std::string& b) {
    return Concat({a, Blank(), op, Blank(), b});
  }

  std::string Leaf(char type) {
    switch (type) {
      case 'b':
        return Pick({"true", "false", "flags.beta", "flags.admin", "flags['beta']",
                     "has(consumer.id)", "has(attr.a.b)", "consumer.id == null", "!flags.beta"});
      case 'i':
        return Pick({"0", "1", "-1", "7", "n", "usage.prompt", "usage.completion", "-n",
                     "9223372036854775807", "-9223372036854775808", "4611686018427387904"});
      case 's':
        return Pick({"''", "'a'", "\"b\"", "'a\\n'", "model", "consumer.id", "consumer.team",
                     "request.headers['x-app']", "request.headers.host", "attr.a.b", "attr.odd",
                     "request.id", "request.method", "attr['none']"});
      default:
        return "null";
    }
  }

  std::string Choice(char type, int depth) {
    std::string yes = Expression(type, depth);
    if (yes.find('?') != std::string::npos && random_.Below(20) != 0) {
      yes = Concat({"(", yes, ")"});
    }
    std::string text = Join(Expression('b', depth), "?", yes);
    text = Join(text, ":", Expression(type, depth));
    return random_.Below(2) == 0 ? Concat({"(", text, ")"}) : text;
  }

  std::string Operation(char type, int depth) {
    switch (type) {
      case 'b': {
        if (random_.Below(5) == 0) return Concat({"!", Expression('b', depth)});
        if (random_.Below(2) == 0) {
          return Join(Expression('b', depth), Pick({"&&", "||"}), Expression('b', depth));
        }
        const char operand = "bis"[random_.Below(3)];
        return Join(Expression(operand, depth), Pick({"==", "!=", "<", "<=", ">", ">="}),
                    Expression(operand, depth));
      }
      case 'i':
        if (random_.Below(6) == 0) return Concat({"-", Expression('i', depth)});
        return Join(Expression('i', depth), Pick({"+", "-", "*", "/", "%"}),
                    Expression('i', depth));
      case 's':
        return Join(Expression('s', depth), "+", Expression('s', depth));
      default:
        return "null";
    }
  }

  Random random_;
  uint64_t wrong_;
};

NaiveValue FromLibrary(const Value& value) {
  switch (value.type) {
    case Type::kBool:
      return {'b', value.boolean ? 1 : 0, ""};
    case Type::kInt:
      return {'i', value.integer, ""};
    case Type::kString:
      return {'s', 0, std::string(value.text)};
    case Type::kNull:
      break;
  }
  return {};
}

// Comments and numeric escapes, which breaking may make, are not in the twin.
bool BeyondTwin(const std::string& source) {
  const size_t escape = source.find('\\');
  return source.find("//") != std::string::npos ||
         (escape != std::string::npos && source.find_first_of("xXuU0123", escape) == escape + 1);
}

// The number of programs that both accept.
uint64_t CompareWithTwin(uint64_t programs, uint64_t seed, uint64_t wrong_in_1000, bool broken) {
  const std::vector<Name> schema = TestSchema();
  const std::vector<MapEnvironment> environments = {
      TestEnvironment(), MapEnvironment({}),
      MapEnvironment({{"flags/beta", Value::Bool(false)},
                      {"flags/admin", Value::Bool(true)},
                      {"n", Value::Int(-1)},
                      {"usage/prompt", Value::Int(INT64_MIN)},
                      {"consumer/id", Value::String("")},
                      {"model", Value::String(std::string_view("\0\xFF", 2))}})};
  Generator generator(seed, wrong_in_1000);
  std::string scratch;
  uint64_t accepted = 0;
  for (uint64_t i = 0; i < programs; ++i) {
    std::string source = generator.Expression("bis"[i % 3], static_cast<int>(i % 5));
    if (broken) source = generator.Break(source);
    if (source.size() > kMaxSourceBytes || BeyondTwin(source)) continue;
    const auto program = Program::Compile(source, schema);
    const NaiveExpr naive(source, schema);
    INFO(source);
    INFO((program.ok() ? std::string("accepted") : std::string(program.status().message())));
    if (program.ok() != naive.ok()) FAIL("one accepts, the other does not");
    if (!program.ok()) {
      const std::string message(program.status().message());
      if (message.rfind("column ", 0) != 0) FAIL("no column: " << message);
      if (std::stoull(message.substr(7)) > source.size() + 1) FAIL("a column outside: " << message);
      continue;
    }
    ++accepted;
    for (const MapEnvironment& environment : environments) {
      const NaiveValue value = FromLibrary((*program)->Eval(environment, &scratch));
      if (!(value == naive.Eval(environment))) FAIL("values differ");
    }
  }
  return accepted;
}

TEST_CASE("well-typed programs mean what the twin says") {
  CHECK(CompareWithTwin(60'000, 1, 0, false) > 50'000);
}

TEST_CASE("ill-typed programs are refused when the twin refuses them") {
  const uint64_t accepted = CompareWithTwin(40'000, 2, 100, false);
  CHECK(accepted > 10'000);
  CHECK(accepted < 35'000);
}

TEST_CASE("broken programs are refused when the twin refuses them") {
  const uint64_t accepted = CompareWithTwin(60'000, 3, 20, true);
  CHECK(accepted > 2'000);
  CHECK(accepted < 40'000);
}

}  // namespace
}  // namespace weir::expr
