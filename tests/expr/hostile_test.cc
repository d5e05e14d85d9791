// Limits, hostile sources, scratch and allocations.

#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/expr/test_env.h"
#include "tests/support/allocations.h"
#include "tests/support/catch.h"
#include "weir/expr.h"

namespace weir::expr {
namespace {

using testing::AllocationsOfThisThread;
using testing::MapEnvironment;
using testing::TestEnvironment;
using testing::TestSchema;

std::string Repeat(std::string_view text, size_t times) {
  std::string repeated;
  for (size_t i = 0; i < times; ++i) repeated.append(text);
  return repeated;
}

std::string Error(std::string_view source) {
  const auto program = Program::Compile(source, TestSchema());
  return program.ok() ? std::string() : std::string(program.status().message());
}

Value MustEval(std::string_view source, std::string* scratch) {
  const auto program = Program::Compile(source, TestSchema());
  INFO(source);
  REQUIRE(program.ok());
  return (*program)->Eval(TestEnvironment(), scratch);
}

TEST_CASE("nesting ends at 64, of whatever kind") {
  const std::string too_deep = "the expression is nested more than 64 deep";
  std::string scratch;
  CHECK(MustEval(Repeat("(", 64) + "n" + Repeat(")", 64), &scratch).integer == 7);
  CHECK(Error(Repeat("(", 65) + "n" + Repeat(")", 65)) == "column 65: " + too_deep);
  CHECK(MustEval(Repeat("!", 64) + "true", &scratch).boolean);
  CHECK(Error(Repeat("!", 65) + "true") == "column 65: " + too_deep);
  CHECK(MustEval(Repeat("-", 64) + "n", &scratch).integer == 7);
  CHECK(Error(Repeat("-", 4096)) == "column 65: " + too_deep);
  CHECK(Error(Repeat("(", 4096)) == "column 65: " + too_deep);
  CHECK(MustEval(Repeat("false ? 1 : ", 64) + "2", &scratch).integer == 2);
  CHECK(Error(Repeat("false ? 1 : ", 65) + "2") == "column 775: " + too_deep);
  // What has ended no longer counts.
  CHECK(MustEval(Repeat("(n) + -n + (true ? 1 : 0) + ", 100) + "0", &scratch).integer == 100);
}

TEST_CASE("the deepest stack fits") {
  // Each level leaves an operand of every rank waiting, and nests twice.
  std::string source;
  for (int i = 0; i < 32; ++i) source += "(false||true&&1<1+1*(true?";
  source += "n";
  for (int i = 0; i < 32; ++i) source += ":0))";
  const std::string booleans = Repeat("(false||true&&true==", 64) + "true" + Repeat(")", 64);
  const std::string integers = Repeat("(1+1*", 64) + "1" + Repeat(")", 64);
  std::string scratch;
  CHECK(MustEval(booleans, &scratch).boolean);
  CHECK(MustEval(integers, &scratch).integer == 65);
  CHECK(!Error(source).empty());  // booleans are no factors; refused, however deep
  std::string mixed = "n";
  for (int i = 0; i < 21; ++i) mixed = Concat({"(false||true&&1<1+1*", mixed, "?2:3)"});
  CHECK(MustEval(mixed, &scratch).integer == 2);
}

TEST_CASE("sources end at 4096 bytes") {
  std::string scratch;
  const std::string longest = Concat({"'", std::string(4094, 'x'), "'"});
  CHECK(MustEval(longest, &scratch).text.size() == 4094);
  CHECK(Error(longest + " ") == "column 4097: the expression is longer than 4096 bytes");
  CHECK(Error(std::string(1 << 20, '(')) ==
        "column 4097: the expression is longer than 4096 bytes");
  const std::string chain = Concat({"attr", Repeat(".a", 2046)});
  CHECK(MustEval(chain, &scratch).type == Type::kNull);
  CHECK(!Error(Concat({"z", Repeat(".a", 2047)})).empty());
  const std::string sum = Concat({"0", Repeat("+1", 2047)});
  CHECK(MustEval(sum, &scratch).integer == 2047);
}

TEST_CASE("random bytes are refused or run, and nothing else") {
  Random random(99);
  const std::string_view pieces[] = {"(",
                                     ")",
                                     "'",
                                     "\"",
                                     "\\",
                                     "model",
                                     "attr",
                                     ".",
                                     "[",
                                     "]",
                                     "?",
                                     ":",
                                     "&&",
                                     "||",
                                     "!",
                                     "=",
                                     "<",
                                     "-",
                                     "+",
                                     "12",
                                     "0x",
                                     "has",
                                     "null",
                                     " ",
                                     "\n",
                                     "\xFF",
                                     "\xC3\xA9",
                                     "//",
                                     "in",
                                     "{",
                                     std::string_view("\0", 1)};
  uint64_t accepted = 0;
  std::string scratch;
  const MapEnvironment environment = TestEnvironment();
  for (int i = 0; i < 100'000; ++i) {
    std::string source;
    for (uint64_t n = random.Below(12); n > 0; --n) {
      source += random.Below(8) == 0 ? std::string(1, static_cast<char>(random.Below(256)))
                                     : std::string(pieces[random.Below(std::size(pieces))]);
    }
    const auto program = Program::Compile(source, TestSchema());
    if (!program.ok()) {
      if (program.status().message().find("column ") != 0) FAIL("no column");
      continue;
    }
    ++accepted;
    (void)(*program)->EvalString(environment, &scratch);
  }
  CHECK(accepted > 100);
}

TEST_CASE("several concatenations share one scratch") {
  const std::string source =
      "('a' + model) + ('b' + model + ('c' + model)) + (('d' + model) == ('d' + 'm-1') ? "
      "('e' + model) + 'f' : '') + model";
  for (const size_t reserved : {size_t{0}, size_t{15}, size_t{1000}}) {
    std::string scratch;
    scratch.reserve(reserved);
    CHECK(MustEval(source, &scratch).text == "am-1bm-1cm-1em-1fm-1");
  }
}

TEST_CASE("every size of scratch gives the same text") {
  const auto program = Program::Compile(
      "(attr.a + attr.b) + (attr.b + attr.a) + ((attr.a + attr.a) + (attr.b + attr.b))",
      TestSchema());
  REQUIRE(program.ok());
  for (size_t a = 0; a < 40; ++a) {
    for (size_t b = 0; b < 40; b += 3) {
      const std::string x(a, 'x');
      const std::string y(b, 'y');
      const MapEnvironment environment(
          {{"attr/a", Value::String(x)}, {"attr/b", Value::String(y)}});
      std::string scratch;
      if ((*program)->Eval(environment, &scratch).text != x + y + y + x + x + x + y + y) {
        FAIL("sizes " << a << " and " << b);
      }
    }
  }
}

TEST_CASE("a reused scratch starts anew") {
  const auto program = Program::Compile("model + '/' + consumer.team", TestSchema());
  REQUIRE(program.ok());
  std::string scratch;
  const MapEnvironment environment = TestEnvironment();
  for (int i = 0; i < 3; ++i) {
    CHECK((*program)->EvalString(environment, &scratch) == "m-1/red");
    CHECK(scratch.size() == 7);
  }
}

// An environment that allocates nothing.
class FixedEnvironment final : public Environment {
 public:
  Value Lookup(uint32_t name, std::string_view member) const override {
    if (name == 7) return Value::Int(7);
    if (name == 6) return Value::Bool(member == "beta");
    return Value::String("a value that is longer than short strings are");
  }
};

TEST_CASE("evaluation allocates only to grow the scratch") {
  const std::string_view sources[] = {
      "consumer.team",
      "request.headers['x-app'] == 'x' ? model : consumer.team",
      "n + 1 > 2 && flags.beta || has(attr.x)",
      "n * 1000",
      "consumer.team + '/' + model + '/' + attr.x",
  };
  const FixedEnvironment environment;
  std::string scratch;
  scratch.reserve(400);
  for (const std::string_view source : sources) {
    const auto program = Program::Compile(source, TestSchema());
    REQUIRE(program.ok());
    const uint64_t before = AllocationsOfThisThread();
    for (int i = 0; i < 10; ++i) (void)(*program)->EvalString(environment, &scratch);
    const uint64_t after = AllocationsOfThisThread();
    CAPTURE(source);
    CHECK(after == before);
  }
}

TEST_CASE("threads share a program") {
  const auto program =
      Program::Compile("flags.beta ? model + '/' + consumer.team : ''", TestSchema());
  REQUIRE(program.ok());
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      const MapEnvironment environment = TestEnvironment();
      std::string scratch;
      for (int i = 0; i < 2000; ++i) {
        wrong[t] += (*program)->EvalString(environment, &scratch) == "m-1/red" ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

}  // namespace
}  // namespace weir::expr
