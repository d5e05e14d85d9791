// Source → value, and source → column and message.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/expr/test_env.h"
#include "tests/support/catch.h"
#include "weir/expr.h"

namespace weir::expr {
namespace {

using testing::TestEnvironment;
using testing::TestSchema;

// "red", "'text'", "12", "true", "null": the value with its type visible.
std::string Show(const Value& value) {
  switch (value.type) {
    case Type::kBool:
      return value.boolean ? "true" : "false";
    case Type::kInt:
      return std::to_string(value.integer);
    case Type::kString:
      return std::string("'").append(value.text).append("'");
    case Type::kNull:
      break;
  }
  return "null";
}

std::string Evaluate(std::string_view source) {
  const auto program = Program::Compile(source, TestSchema());
  if (!program.ok()) return std::string(program.status().message());
  std::string scratch;
  return Show((*program)->Eval(TestEnvironment(), &scratch));
}

struct Row {
  std::string_view source;
  std::string_view expected;
};

void CheckAll(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.source);
    CHECK(Evaluate(row.source) == row.expected);
  }
}

TEST_CASE("names and members") {
  CheckAll({
      {"model", "'m-1'"},
      {"consumer.team", "'red'"},
      {"consumer . team", "'red'"},
      {"consumer['team']", "'red'"},
      {"consumer [ \"team\" ]", "'red'"},
      {"consumer.id", "null"},
      {"request.method", "'POST'"},
      {"request.headers['x-app']", "'app'"},
      {"request.headers['X-App']", "null"},
      {"request.headers.host", "'h'"},
      {"request.id", "'r1'"},
      {"attr.a.b", "'nested'"},
      {"attr['a.b']", "'nested'"},
      {"attr.odd", "null"},  // an integer where strings were declared
      {"attr.for", "null"},  // reserved words may be members
      {"has(consumer.team)", "true"},
      {"has(consumer.id)", "false"},
      {"has(attr.a.b)", "true"},
      {"!has(request.headers.none)", "true"},
      {"has(request.id)", "true"},
      {"  n // and a comment", "7"},
      {"n // one\n + 1", "8"},
  });
}

TEST_CASE("literals") {
  CheckAll({
      {"'a\"b'", "'a\"b'"},
      {"\"a'b\"", "'a'b'"},
      {"''", "''"},
      {R"('\n\t\\\'\"\r\a\b\f\v\?\`')", "'\n\t\\'\"\r\a\b\f\v?`'"},
      {R"('\x41\u00e9\U0001F600\101\377')",
       "'A\xC3\xA9\xF0\x9F\x98\x80"
       "A\xC3\xBF'"},
      {"'\xE2\x82\xAC'", "'\xE2\x82\xAC'"},
      {std::string_view("'a\0b'", 5), std::string_view("'a\0b'", 5)},
      {"0", "0"},
      {"007", "7"},
      {"0x1F", "31"},
      {"-0x10", "-16"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"true", "true"},
      {"false", "false"},
      {"null", "null"},
  });
}

TEST_CASE("operators and precedence") {
  CheckAll({
      {"consumer.team + '/' + model", "'red/m-1'"},
      {"1 + 2 * 3", "7"},
      {"(1 + 2) * 3", "9"},
      {"10 - 3 - 2", "5"},
      {"-7 / 2", "-3"},
      {"-7 % 2", "-1"},
      {"7 - -2", "9"},
      {"--5", "5"},
      {"-n", "-7"},
      {"-(n)", "-7"},
      {"2 * -n + 1", "-13"},
      {"usage.prompt + 4 * usage.completion", "100"},
      {"1 < 2", "true"},
      {"'a' < 'b'", "true"},
      {"'Z' < 'a'", "true"},
      {"'\xC3\xA9' > 'z'", "true"},
      {"'a' <= 'a' && 'ab' > 'a'", "true"},
      {"false < true", "true"},
      {"1 == 1 == true", "true"},
      {"1 + 1 == 2 && !(1 > 2)", "true"},
      {"!true || true", "true"},
      {"!!true", "true"},
      {"true || false && false", "true"},
      {"(true || false) && false", "false"},
      {"flags.beta ? 'new' : 'old'", "'new'"},
      {"n > 5 ? n < 7 ? 1 : 2 : 3",
       "column 15: a conditional between '?' and ':' needs parentheses"},
      {"n > 5 ? (n < 7 ? 1 : 2) : 3", "2"},
      {"false ? 1 : false ? 2 : 3", "3"},
      {"(false ? 1 : 2) + 10", "12"},
      {"false ? 1 : 2 + 10", "12"},
      {"true ? null : 1", "null"},
      {"(true ? null : 1) == null", "true"},
      {"model == 'm-1' ? model + '!' : null", "'m-1!'"},
  });
}

TEST_CASE("null goes through, except where it does not matter") {
  CheckAll({
      {"consumer.id + '/'", "null"},
      {"'/' + consumer.id", "null"},
      {"consumer.id == null", "true"},
      {"consumer.id != null", "false"},
      {"consumer.id == 'x'", "false"},
      {"'x' != consumer.id", "true"},
      {"null == null", "true"},
      {"consumer.id == attr.none", "true"},
      {"consumer.id < 'x'", "null"},
      {"!flags.admin", "null"},
      {"flags.admin && false", "false"},
      {"false && flags.admin", "false"},
      {"flags.admin && true", "null"},
      {"true && flags.admin", "null"},
      {"flags.admin || true", "true"},
      {"true || flags.admin", "true"},
      {"flags.admin || false", "null"},
      {"flags.admin && flags.admin", "null"},
      {"flags.admin ? 1 : 2", "null"},
      {"(flags.admin ? 1 : 2) == null ? 'gone' : 'there'", "'gone'"},
      {"consumer.id == null ? 'anonymous' : consumer.id", "'anonymous'"},
      {"9223372036854775807 + 1", "null"},
      {"-9223372036854775808 - 1", "null"},
      {"- -9223372036854775808", "null"},
      {"4611686018427387904 * 2", "null"},
      {"-9223372036854775808 / -1", "null"},
      {"-9223372036854775808 % -1", "null"},
      {"1 / 0", "null"},
      {"1 % 0", "null"},
      {"-(attr.none == null ? 1 / 0 : 2)", "null"},
  });
}

TEST_CASE("errors of names") {
  CheckAll({
      {"modell", "column 1: unknown name 'modell'; did you mean 'model'?"},
      {"'a' + consumr.team",
       "column 7: unknown name 'consumr.team'; did you mean 'consumer.team'?"},
      {"consumer.tem", "column 10: unknown member 'tem' of 'consumer'; did you mean 'team'?"},
      {"consumer['id ']", "column 10: unknown member 'id ' of 'consumer'; did you mean 'id'?"},
      {"consumer['\\n-\\x7f']", "column 10: unknown member '?-?' of 'consumer'"},
      {"zzzzzzzzz", "column 1: unknown name 'zzzzzzzzz'"},
      {"request.header", "column 9: unknown member 'header' of 'request'; did you mean 'headers'?"},
      {"request.header.x",
       "column 9: unknown member 'header' of 'request'; did you mean 'headers'?"},
      {"request.path.x", "column 14: 'request.path' has no members"},
      {"consumer", "column 1: 'consumer' is a map: expected one of its members"},
      {"1 + attr", "column 5: 'attr' is a map: expected one of its members"},
      {"model.x", "column 7: 'model' has no members"},
      {"model['x']", "column 7: 'model' has no members"},
      {"consumer.team.x", "column 15: 'consumer.team' has no members"},
      {"consumer.team['x']", "column 15: 'consumer.team' has no members"},
      {"attr.a['x']", "column 8: 'attr.a' has no members"},
      {"attr['x'].y", "column 10: expected an operator; only maps have members"},
      {"attr['x']['y']", "column 10: expected an operator; only maps have members"},
      {"has(model)", "column 5: has() takes a member, as in has(a.b); elsewhere compare with null"},
      {"has(attr['x'])",
       "column 5: has() takes a member, as in has(a.b); elsewhere compare with null"},
      {"for", "column 1: expected a name, found the reserved word 'for'"},
      {"attr.in", "column 6: expected a name, found 'in'"},
  });
}

TEST_CASE("errors of types") {
  CheckAll({
      {"model == 1", "column 7: '==' does not take a string and an integer"},
      {"n != 'x'", "column 3: '!=' does not take an integer and a string"},
      {"n < 'x'", "column 3: '<' does not take an integer and a string"},
      {"n < null", "column 3: '<' does not take an integer and null"},
      {"n + model", "column 3: '+' does not take an integer and a string"},
      {"model + n", "column 7: '+' does not take a string and an integer"},
      {"null + 1", "column 6: '+' does not take null and an integer"},
      {"true + true", "column 6: '+' does not take a boolean and a boolean"},
      {"model * 2", "column 7: '*' does not take a string and an integer"},
      {"model - model", "column 7: '-' does not take a string and a string"},
      {"n && true", "column 3: '&&' takes booleans, not an integer"},
      {"true || n", "column 6: '||' does not take a boolean and an integer"},
      {"null && true", "column 6: '&&' takes booleans, not null"},
      {"!n", "column 1: '!' takes a boolean, not an integer"},
      {"1 + -model", "column 5: '-' takes an integer, not a string"},
      {"n ? 1 : 2", "column 3: '?' takes a boolean before it, not an integer"},
      {"true ? 1 : 'x'", "column 6: '?:' gives either an integer or a string: expected one type"},
      {"1 < 2 < 3", "column 7: '<' does not take a boolean and an integer"},
  });
}

TEST_CASE("errors of syntax") {
  CheckAll({
      {"", "column 1: expected a value, found the end"},
      {" // only", "column 9: expected a value, found the end"},
      {"1 +", "column 4: expected a value, found the end"},
      {"+ 1", "column 1: expected a value, found '+'"},
      {"1 2", "column 3: expected an operator, found '2'"},
      {"1 'x'", "column 3: expected an operator, found a string"},
      {"(1", "column 1: this '(' is not closed"},
      {"1)", "column 2: this ')' closes nothing"},
      {"()", "column 2: expected a value, found ')'"},
      {"true ? 1", "column 9: expected ':', found the end"},
      {"(true ? 1)", "column 10: expected ':' before this ')'"},
      {"1 : 2", "column 3: expected a '?' before this ':'"},
      {"true ? 1 : 2 : 3", "column 14: expected a '?' before this ':'"},
      {"a = b", "column 3: '=' is no operator; use '=='"},
      {"attr.x & attr.y", "column 8: '&' is no operator; use '&&'"},
      {"attr.x | attr.y", "column 8: '|' is no operator; use '||'"},
      {"attr.", "column 6: expected a name, found the end"},
      {"attr.1", "column 5: floating-point numbers are not supported"},
      {"attr[1]", "column 6: expected a literal string as index, found '1'"},
      {"attr[model]", "column 6: expected a literal string as index, found 'model'"},
      {"attr['a' + 'b']", "column 10: expected ']' after the literal string, found '+'"},
      {"has(consumer.team", "column 18: expected ')', found the end"},
      {"'abc", "column 1: the string is not closed"},
      {"'a\nb'", "column 1: the string is not closed"},
      {"'abc\\", "column 5: unknown escape in a string"},
      {"'\\q'", "column 2: unknown escape in a string"},
      {"'\\x4'", "column 2: the escape needs 2 hexadecimal digits"},
      {"'\\u12", "column 2: the escape needs 4 hexadecimal digits"},
      {"'\\uD800'", "column 2: the escape is no Unicode character"},
      {"'\\U00110000'", "column 2: the escape is no Unicode character"},
      {"'\\400'", "column 2: unknown escape in a string"},
      {"9223372036854775808", "column 1: the integer does not fit in 64 bits"},
      {"-(9223372036854775808)", "column 3: the integer does not fit in 64 bits"},
      {"-9223372036854775809", "column 2: the integer does not fit in 64 bits"},
      {"99999999999999999999", "column 1: the integer does not fit in 64 bits"},
      {"0x", "column 3: expected hexadecimal digits"},
      {"12ab", "column 3: expected the number to end here"},
      {std::string_view("n\0", 2), "column 2: unexpected byte 0x00"},
      {"n + \xC3\xA9", "column 5: unexpected byte 0xc3"},
      {"n + '\xFF'", "column 6: expected UTF-8"},
      {"n;", "column 2: unexpected byte 0x3b"},
  });
}

TEST_CASE("the rest of CEL is refused by name") {
  CheckAll({
      {"size(model)", "column 1: the function size() is not supported"},
      {"1 + model.startsWith('x')", "column 11: the function startsWith() is not supported"},
      {"attr['x'].matches('y')", "column 11: the function matches() is not supported"},
      {"'x'.size()", "column 5: the function size() is not supported"},
      {"(model).size()", "column 9: the function size() is not supported"},
      {"string(n)", "column 1: the function string() is not supported"},
      {"model in ['a']", "column 7: the operator 'in' is not supported"},
      {"[1]", "column 1: lists are not supported"},
      {"{}", "column 1: maps and messages are not supported"},
      {"model{}", "column 6: maps and messages are not supported"},
      {".model", "column 1: a leading '.' is not supported"},
      {"1.5", "column 1: floating-point numbers are not supported"},
      {".5", "column 1: floating-point numbers are not supported"},
      {"1e3", "column 1: floating-point numbers are not supported"},
      {"1u", "column 1: unsigned integers are not supported"},
      {"r'x'", "column 1: raw strings and bytes are not supported"},
      {"b\"x\"", "column 1: raw strings and bytes are not supported"},
      {"'''x'''", "column 1: triple-quoted strings are not supported"},
  });
}

TEST_CASE("EvalString gives text or nothing") {
  const auto text = [](std::string_view source) -> std::optional<std::string> {
    const auto program = Program::Compile(source, TestSchema());
    REQUIRE(program.ok());
    CHECK((*program)->source() == source);
    std::string scratch = "left over";
    const auto value = (*program)->EvalString(TestEnvironment(), &scratch);
    if (!value) return std::nullopt;
    return std::string(*value);
  };
  CHECK(text("consumer.team") == "red");
  CHECK(text("n") == "7");
  CHECK(text("-9223372036854775808") == "-9223372036854775808");
  CHECK(text("n > 0") == "true");
  CHECK(text("n < 0") == "false");
  CHECK(text("''") == "");
  CHECK(text("consumer.id") == std::nullopt);
}

TEST_CASE("names_used lists each name once") {
  const auto program =
      Program::Compile("n > 1 && has(attr.x) ? request.headers.a : model + attr.y", TestSchema());
  REQUIRE(program.ok());
  const auto used = (*program)->names_used();
  CHECK(std::vector<uint32_t>(used.begin(), used.end()) == std::vector<uint32_t>{0, 4, 5, 7});
  CHECK((*Program::Compile("1", {}))->names_used().empty());
}

}  // namespace
}  // namespace weir::expr
