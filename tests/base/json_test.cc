#include "base/json.h"

#include "base/random.h"
#include "tests/support/catch.h"

namespace weir::json {
namespace {

TEST_CASE("every value knows its bytes") {
  const std::string source = R"( { "a" : [1, -2.5e3 ,"x\n\u00e9"], "b":{"c":null},"d":true } )";
  Document document;
  REQUIRE(document.Parse(source));
  const Value root = document.root();
  CHECK(root.size() == 3);
  CHECK(root.begin_offset() == 1);
  CHECK(root.end_offset() == source.size() - 1);
  CHECK(root["a"].source() == R"([1, -2.5e3 ,"x\n\u00e9"])");
  std::vector<std::string> elements;
  for (Value element : root["a"].members()) elements.emplace_back(element.source());
  CHECK(elements == std::vector<std::string>{"1", "-2.5e3", R"("x\n\u00e9")"});
  CHECK(root["b"].source() == R"({"c":null})");
  CHECK(root["b"]["c"].Is(Type::kNull));
  CHECK(root["d"].boolean());
  CHECK(source.substr(root["b"].key_begin(), 3) == "\"b\"");
  CHECK_FALSE(root["zz"]);
  CHECK_FALSE(root["a"]["b"]);
}

TEST_CASE("comments and trailing commas are for policies only") {
  const std::string source =
      "// one\n{ /* two */ \"a\" /*x*/ : /* , */ 1, // three\n \"b\": [2,],\n}";
  Document document;
  ParseError error;
  REQUIRE(document.Parse(source, {.relaxed = true}, &error));
  CHECK(document.root()["a"].source() == "1");
  CHECK(document.root()["b"].source() == "[2,]");
  CHECK_FALSE(document.Parse(source, {}, &error));
}

TEST_CASE("integers are read exactly or not at all") {
  Document document;
  REQUIRE(document.Parse(
      R"([0,-1,9223372036854775807,9223372036854775808,1.0,1e3,-0,18446744073709551615])"));
  std::vector<std::optional<int64_t>> ints;
  for (Value value : document.root().members()) ints.push_back(value.Int());
  CHECK(ints == std::vector<std::optional<int64_t>>{0, -1, INT64_MAX, std::nullopt, std::nullopt,
                                                    std::nullopt, std::nullopt, std::nullopt});
}

TEST_CASE("numbers out of every range stay text") {
  const std::string digits(400, '9');
  const std::string source = R"({"a":[1e400,-1E+999,0.5],"b":)" + digits + R"(,"c":"1e400"})";
  Document document;
  REQUIRE(document.Parse(source));
  const Value root = document.root();
  std::vector<std::string> elements;
  for (Value element : root["a"].members()) elements.emplace_back(element.text());
  CHECK(elements == std::vector<std::string>{"1e400", "-1E+999", "0.5"});
  CHECK(root["b"].text() == digits);
  CHECK(root["b"].source() == digits);
  CHECK(root["c"].text() == "1e400");
  // Well-formed all the same.
  for (const char* bad : {"1e400.5", "1e400e5", "1e400x", "01e400", "1e", "1e400 1"}) {
    CHECK_FALSE(document.Parse(bad));
  }
  std::string many = "[1e400";
  for (int i = 0; i < 100; ++i) many += ",1e400";
  CHECK(document.Parse(many + "]"));
  CHECK(document.root().size() == 101);
  CHECK(document.Parse("1e400"));
}

TEST_CASE("errors say where") {
  struct Row {
    std::string source;
    size_t offset;
    std::string words;
  };
  const std::vector<Row> rows = {
      {"", 0, "empty"},
      {"{\"a\":1,}", 7, "key"},
      {"{\"a\" 1}", 5, "':'"},
      {"[1 2]", 3, "','"},
      {"{\"a\":1,\"b\":2,\"a\":3}", 13, "appears twice"},
      {"{\"a\":1,\"\\u0061\":3}", 7, "appears twice"},
      {"[1] 2", 4, "after the end"},
      {"\"abc", 4, "closing quote"},
      {"\"\xff\"", 1, "UTF-8"},
      {std::string("{}\0{}", 5), 2, "after the end"},
      {"\"\\udc00\"", 1, "surrogate"},
      {"\"\\ud83dx\"", 1, "surrogate"},
      {"\"a\\x\"", 2, "escape"},
      {"[1.]", 3, "point"},
      {"[-]", 2, "a value"},
      {"{", 1, "key"},
      {std::string(65, '[') + std::string(65, ']'), 64, "64 deep"},
  };
  for (const Row& row : rows) {
    Document document;
    ParseError error;
    INFO(row.source);
    CHECK_FALSE(document.Parse(row.source, {}, &error));
    CHECK_FALSE(document.root());
    CHECK(error.message.find(row.words) != std::string::npos);
    CHECK(error.offset == row.offset);
  }
  Document document;
  CHECK(document.Parse(std::string(64, '[') + std::string(64, ']')));
}

TEST_CASE("a million brackets end in an error, not in the stack") {
  for (const char* open : {"[", "{\"a\":", "[{\"a\":"}) {
    std::string source;
    for (int i = 0; i < 1000000; ++i) source += open;
    Document document;
    CHECK_FALSE(document.Parse(source));
  }
}

TEST_CASE("many keys, and a repeated one among them") {
  std::string source = "{";
  for (int i = 0; i < 100000; ++i) source += "\"k" + std::to_string(i) + "\":0,";
  Document document;
  CHECK(document.Parse(source + "\"last\":1}"));
  CHECK(document.root().size() == 100001);
  CHECK_FALSE(document.Parse(source + "\"k777\":1}"));
  ParseError error;
  CHECK(document.Parse(source + "\"k777\":1}", {.allow_duplicate_keys = true}, &error));
}

TEST_CASE("a text that is borrowed is not copied, but where it has escapes") {
  const std::string source = R"({"plain":"text","k\u0065y":"a\nb","n":12})";
  Document document;
  ParseError error;
  REQUIRE(document.ParseBorrowed(source, {}, &error));
  const auto borrowed = [&](std::string_view text) {
    return text.data() >= source.data() &&
           text.data() + text.size() <= source.data() + source.size();
  };
  CHECK(document.source().data() == source.data());
  CHECK(borrowed(document.root()["plain"].text()));
  CHECK(borrowed(document.root()["n"].text()));
  CHECK(document.root()["key"].text() == "a\nb");
  CHECK_FALSE(borrowed(document.root()["key"].text()));
  REQUIRE(document.Parse(source));
  CHECK_FALSE(borrowed(document.root()["plain"].text()));
  CHECK_FALSE(document.ParseBorrowed({}, {}, &error));
  CHECK(error.message == "the document is empty");
}

TEST_CASE("a document moves with its texts, and what is left can be used again") {
  Document first;
  REQUIRE(first.Parse(R"({"a":"\u0062","c":"d"})"));
  Document second(std::move(first));
  CHECK_FALSE(first.root());  // NOLINT(bugprone-use-after-move): that is what is asked
  CHECK(first.source().empty());
  CHECK(second.root()["a"].text() == "b");
  REQUIRE(first.Parse(R"(["\u0065"])"));
  first = std::move(second);
  CHECK(first.root()["a"].text() == "b");
  CHECK(first.root()["c"].text() == "d");
  REQUIRE(second.Parse(R"(["\u0066"])"));
  CHECK((*second.root().members().begin()).text() == "f");
}

TEST_CASE("lines and columns count from one") {
  CHECK(Locate("ab\ncd\n", 4).line == 2);
  CHECK(Locate("ab\ncd\n", 4).column == 2);
  CHECK(Locate("", 10).line == 1);
}

TEST_CASE("what is written can be read back") {
  Random random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (uint64_t n = random.Below(12); n > 0; --n) {
      const char* pieces[] = {"a", "\"", "\\", "\n", "\x01", "\x7f", "\xC3\xA9", "\xF0\x9F\x98\x80",
                              "/"};
      text += pieces[random.Below(std::size(pieces))];
    }
    std::string out;
    AppendString(&out, text);
    Document document;
    REQUIRE(document.Parse(out));
    REQUIRE(document.root().text() == text);
  }
}

TEST_CASE("bytes that are not UTF-8 are written as replacement characters") {
  std::string out;
  AppendString(&out, "a\xff\xC3\xA9\xED\xA0\x80z");
  CHECK(out == "\"a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\"");
}

TEST_CASE("no control character passes in a string, wherever it stands") {
  for (int c = 0; c < 0x20; ++c) {
    for (size_t before = 0; before < 40; ++before) {
      for (size_t after : {0, 1, 40}) {
        const std::string text = "{\"k\":\"" + std::string(before, 'x') + static_cast<char>(c) +
                                 std::string(after, 'x') + "\"}";
        Document document;
        INFO(c << " after " << before);
        REQUIRE_FALSE(document.Parse(text));
      }
    }
  }
}

TEST_CASE("the writer puts the commas") {
  std::string out;
  Writer writer(&out);
  writer.BeginObject()
      .Key("a")
      .Int(-1)
      .Key("b")
      .BeginArray()
      .Uint(1)
      .Null()
      .BeginObject()
      .EndObject();
  writer.EndArray().Key("c").Bool(true).Key("d").Raw("{\"x\":1}").EndObject();
  CHECK(out == R"({"a":-1,"b":[1,null,{}],"c":true,"d":{"x":1}})");
}

}  // namespace
}  // namespace weir::json
