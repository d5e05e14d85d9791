#include "metering/prompt_schema.h"

#include <random>
#include <string>

#include "base/text.h"
#include "tests/support/catch.h"

namespace weir::metering {
namespace {

std::string Function(const std::string& definition, bool harmony = false, bool complete = true) {
  json::Document document;
  REQUIRE(document.Parse(definition));
  std::string text;
  CHECK(AppendFunction(document.root(), harmony, &text) == complete);
  return text;
}

// Of one parameter schema, without what stands round it.
std::string Parameters(const std::string& schema, bool harmony = false) {
  const std::string text = Function(Concat({R"({"name":"f","parameters":)", schema, "}"}), harmony);
  const std::string head = "type f = (", tail = ") => any;\n\n";
  REQUIRE(text.substr(0, head.size()) == head);
  REQUIRE(text.substr(text.size() - tail.size()) == tail);
  return text.substr(head.size(), text.size() - head.size() - tail.size());
}

std::string Schema(const std::string& schema) {
  json::Document document;
  REQUIRE(document.Parse(schema));
  std::string text;
  AppendAnswerSchema(document.root(), &text);
  return text;
}

TEST_CASE("functions are written as TypeScript") {
  CHECK(Function(R"({"name":"now"})") == "type now = () => any;\n\n");
  CHECK(Function(
            R"({"name":"now","description":"","parameters":{"type":"object","properties":{}}})") ==
        "type now = () => any;\n\n");
  CHECK(Function(R"({"name":"now","description":"The time. "})") ==
        "// The time.\ntype now = () => any;\n\n");
  CHECK(
      Function(R"({"name":"add","description":"Adds.\n\n    Args:\n        a: one\n  ","parameters":
      {"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}})") ==
      "// Adds.\n//\n// Args:\n// a: one\ntype add = (_: {a: number}) => any;\n\n");
}

TEST_CASE("objects stand on one line unless a member says more") {
  CHECK(Parameters(R"({"properties":{"a":{"type":"string"},"b":{"type":"boolean"}},
                       "required":["b"]})") == "_: {a?: string, b: boolean}");
  CHECK(Parameters(R"({"properties":{"a":{"type":"string","description":"A"},"b":{"enum":["x",1]}},
                       "required":["a"]})") == "_: {\n// A\na: string,\nb?: \"x\" | 1,\n}");
  CHECK(Parameters(R"({"title":"args","properties":{"a":{"type":"number","title":"A"}}})") ==
        "_: {\n// args\n// A\na?: number,\n}");
  CHECK(Parameters(R"({"properties":{"a":{"type":"number","title":"A","description":"B"}}})") ==
        "_: {\n// A\n//\n// B\na?: number,\n}");
  CHECK(Parameters(R"({"properties":{"a":{"type":"boolean","default":false}}})") ==
        "_: {\na?: boolean, // default: false\n}");
  CHECK(Parameters(R"({"properties":{"a":{"type":"string","default":"x"}}})") ==
        "_: {\na?: string, // default: x\n}");
  CHECK(Parameters(R"({"properties":{"a":{"type":"string","default":null}}})") ==
        "_: {a?: string}");
}

TEST_CASE("types") {
  const auto type = [](const std::string& schema) {
    const std::string text =
        Parameters(Concat({R"({"required":["a"],"properties":{"a":)", schema, "}}"}));
    return text.substr(7, text.size() - 8);
  };
  CHECK(type(R"({"type":"array","items":{"type":"string"}})") == "string[]");
  CHECK(type(R"({"type":"array"})") == "any[]");
  CHECK(type(R"({"type":"object"})") == "object");
  CHECK(type(R"({"type":["string","null"]})") == "string | null");
  CHECK(type(R"({"type":["integer","object"],"properties":{"b":{"type":"null"}}})") ==
        "number | {b?: null}");
  CHECK(type(R"({"anyOf":[{"type":"string"},{"type":"null"}]})") == "string | null");
  CHECK(type(R"({"const":{"x": [1, "a b"]}})") == R"({"x":[1,"a b"]})");
  CHECK(type(R"({"type":"object","properties":{"b":{"type":"integer"}},"required":["b"]})") ==
        "{b: number}");
  CHECK(type(R"({"allOf":[{"type":"string"}]})") == "string");
  CHECK(type(R"({"type":"strange"})") == "any");
  CHECK(type("true") == "any");
  CHECK(type(R"({"$ref":"#/$defs/none"})") == "any");
}

TEST_CASE("alternatives that are commented have a line each, but for GPT-5") {
  const std::string schema = R"({"properties":{"a":{"description":"When","anyOf":
      [{"type":"string","format":"date"},{"type":"null"}]}},"required":["a"]})";
  CHECK(Parameters(schema) == "_: {\n// When\na:\n | string // format: date\n | null\n,\n}");
  CHECK(Parameters(schema, true) == "_: {\n// When\na: string | null,\n}");
}

TEST_CASE("GPT-5 reads what describes all parameters before them") {
  CHECK(Parameters(R"({"description":"Typed.","properties":{"a":{"type":"string"}}})", true) ==
        "_: // Typed.\n{a?: string}");
}

TEST_CASE("references are replaced by what they name, once round") {
  CHECK(Parameters(R"({"$defs":{"P":{"type":"object","title":"Person","properties":
        {"name":{"type":"string"}},"required":["name"]}},
        "properties":{"p":{"$ref":"#/$defs/P"},
        "q":{"type":"array","items":{"$ref":"#/$defs/P"}}}})") ==
        "_: {\n// Person\np?: {name: string},\nq?: {name: string}[],\n}");
  // A tree that never ends, and one that doubles at each step.
  const std::string tree = R"({"name":"f","parameters":{"$defs":{"T":{"type":"object","properties":
      {"l":{"$ref":"#/$defs/T"},"r":{"$ref":"#/$defs/T"}}}},
      "properties":{"t":{"$ref":"#/$defs/T"}}}})";
  CHECK(Function(tree, false, false).size() < 80000);
  const std::string loop = R"({"name":"f","parameters":{"$defs":{"T":{"$ref":"#/$defs/T"}},
      "properties":{"t":{"$ref":"#/$defs/T"}}}})";
  CHECK(Function(loop).find("any") != std::string::npos);
}

TEST_CASE("the answer's schema loses blanks, required and additionalProperties") {
  CHECK(Schema(R"({"type": "object", "properties": {"a b": {"type": "string"}},
                   "required": ["a b"], "additionalProperties": false})") ==
        R"({"type":"object","properties":{"a b":{"type":"string"}}})");
  // As names of members they are no keywords, and inside of values they are not either.
  CHECK(Schema(R"({"properties":{"required":{"type":"string","required":[1]}},
                   "const":{"required":1}})") ==
        R"({"properties":{"required":{"type":"string"}},"const":{"required":1}})");
  std::string nothing;
  AppendAnswerSchema(json::Value(), &nothing);
  CHECK(nothing.empty());
  CHECK(Schema("[1, {}, [], null, \"\\u00e9\\n\"]") == "[1,{},[],null,\"\u00e9\\n\"]");
}

TEST_CASE("blanks are dropped outside of quotes only") {
  std::string text;
  AppendCompactJson("{ \"a b\" : [1, \"\\\" , \", true] }", &text);
  CHECK(text == "{\"a b\":[1,\"\\\" , \",true]}");
  text.clear();
  AppendCompactJson("not json \"open \\", &text);
  CHECK(text == "notjson\"open \\");
}

// Any JSON at all, in the place of a schema: no crash, and an output in proportion.
TEST_CASE("hostile schemas are written in proportion") {
  std::mt19937 random(3);
  const std::string keys[] = {"type",  "properties", "items", "anyOf",   "$ref",  "$defs", "enum",
                              "const", "required",   "title", "default", "allOf", "format"};
  const std::string values[] = {"\"object\"", "\"array\"", "\"string\"", "\"#/$defs/a\"",
                                "[]",         "1",         "null",       "true"};
  for (int round = 0; round < 3000; ++round) {
    std::string json;
    std::string close;
    for (int depth = 0; depth < 40; ++depth) {
      const bool object = random() % 3 != 0;
      json += object ? Concat({"{\"", keys[random() % 13], "\":"}) : std::string("[");
      if (object && random() % 4 == 0) {
        json += Concat({values[random() % 8], ",\"a", std::to_string(depth), "\":"});
      }
      close.insert(close.begin(), object ? '}' : ']');
    }
    json += values[random() % 8] + close;
    json::Document document;
    if (!document.Parse(Concat({R"({"name":"f","parameters":{"properties":{"x":)", json, "}}}"})))
      continue;
    std::string text;
    AppendFunction(document.root(), round % 2 == 0, &text);
    AppendAnswerSchema(document.root(), &text);
    REQUIRE(text.size() < 80000 + 10 * json.size());
  }
}

TEST_CASE("tools that take text") {
  const auto written = [](std::string_view tool, bool grammar) {
    json::Document document;
    REQUIRE(document.Parse(tool));
    std::string text;
    CHECK(AppendCustomTool(document.root(), &text) == grammar);
    return text;
  };
  CHECK(written(R"({"name":"run"})", false) == "type run = (FREEFORM) => any;\n\n");
  CHECK(written(R"({"name":"run","description":" Runs.\nA lot. ","format":{"type":"text"}})",
                false) == "// Runs.\n// A lot.\ntype run = (FREEFORM) => any;\n\n");
  const std::string grammar = "// start: a\n//\n// a: b\ntype run = (FREEFORM) => any;\n\n";
  const std::string definition = R"("definition":"  start: a\n\n   a: b")";
  // As in responses, as in chats.
  CHECK(written(R"({"name":"run","format":{"type":"grammar",)" + definition + "}}", true) ==
        grammar);
  CHECK(written(R"({"name":"run","format":{"grammar":{)" + definition + "}}}", true) == grammar);
  CHECK(written(R"({"name":1,"format":[],"description":{}})", false) ==
        "type  = (FREEFORM) => any;\n\n");
}

}  // namespace
}  // namespace weir::metering
