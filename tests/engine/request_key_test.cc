#include "engine/request_key.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/support/catch.h"
#include "weir/dialects.h"

namespace weir::engine {
namespace {

using dialects::Dialect;
using dialects::Operation;

policy::Cache Rules() {
  policy::Cache rules;
  rules.embedding.by = policy::Embedding::By::kLexical;
  return rules;
}

RequestKey KeyOfText(const std::string& text, const policy::Cache& rules,
                     const std::string& target = "/v1/chat/completions",
                     const std::string& scope = "red") {
  const auto asked = dialects::ParseTarget(target);
  REQUIRE(asked);
  json::Document body;
  const auto request = dialects::ReadRequest(asked->dialect, asked->operation, asked, text, &body);
  INFO(text << " " << request.status().ToString());
  REQUIRE(request.ok());
  return KeyOf(*request, body.root(), rules, scope, 7);
}

RequestKey KeyOfText(const std::string& text) { return KeyOfText(text, Rules()); }

std::string Chat(const std::string& messages, const std::string& more = "") {
  return Concat({R"({"model": "m", "messages": [)", messages, "]", more, "}"});
}

constexpr char kAsk[] = R"({"role": "user", "content": "How do I reset it?"})";

TEST_CASE("texts are not of the frame, all else is") {
  const RequestKey plain = KeyOfText(Chat(kAsk));
  CHECK(plain.bypass.empty());
  CHECK(plain.text == "How do I reset it?");
  const RequestKey other_words =
      KeyOfText(Chat(R"({"role": "user", "content": "How can I reset it?"})"));
  CHECK(other_words.frame == plain.frame);
  CHECK_FALSE(other_words.exact == plain.exact);
  for (const char* more :
       {R"(, "temperature": 0)", R"(, "temperature": null)", R"(, "seed": 1)", R"(, "n": 2)",
        R"(, "tools": [])", R"(, "response_format": {"type": "json_object"})", R"(, "user": "u")",
        R"(, "nobody_knows": {"a": [1]})", R"(, "max_tokens": 9)"}) {
    INFO(more);
    CHECK_FALSE(KeyOfText(Chat(kAsk, more)).frame == plain.frame);
  }
  for (const char* message :
       {R"({"role": "assistant", "content": "How do I reset it?"})",
        R"({"role": "user", "name": "bob", "content": "How do I reset it?"})",
        R"({"role": "user", "content": "How do I reset it?"}, {"role": "user", "content": ""})",
        R"({"role": "user", "content": [{"type": "text", "text": "How do I reset it?"}]})",
        R"({"role": "system", "content": ""}, {"role": "user", "content": "How do I reset it?"})",
        R"({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}},
            {"type": "text", "text": "How do I reset it?"}]})"}) {
    INFO(message);
    const RequestKey key = KeyOfText(Chat(message));
    CHECK_FALSE(key.frame == plain.frame);
    CHECK(key.text == plain.text);
  }
}

TEST_CASE("how an answer comes, blanks and the order of fields make no difference") {
  const RequestKey plain = KeyOfText(Chat(kAsk, R"(, "seed": [1, {"a b": "c \" d"}])"));
  for (const char* same :
       {R"({"messages":[{"role":"user","content":"How do I reset it?"}],"model":"m",
            "seed":[1,{"a b":"c \" d"}]})",
        R"({"model": "m", "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": "How do I \u0072eset it?"}],
            "seed": [ 1,{"a b":"c \" d"}] })"}) {
    INFO(same);
    CHECK(KeyOfText(same).exact == plain.exact);
    CHECK(KeyOfText(same).frame == plain.frame);
  }
  CHECK_FALSE(KeyOfText(Chat(kAsk, R"(, "seed": [1, {"ab": "c \" d"}])")).exact == plain.exact);
}

TEST_CASE("whose a request is is part of both") {
  const RequestKey red = KeyOfText(Chat(kAsk), Rules(), "/v1/chat/completions", "red");
  const RequestKey blue = KeyOfText(Chat(kAsk), Rules(), "/v1/chat/completions", "blue");
  CHECK_FALSE(red.frame == blue.frame);
  CHECK_FALSE(red.exact == blue.exact);
}

TEST_CASE("only the last messages, and not the system's") {
  const std::string before = R"({"role": "system", "content": "Be brief."},
      {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, )";
  policy::Cache last = Rules();
  last.messages = 1;
  const RequestKey key = KeyOfText(Chat(before + kAsk), last);
  CHECK(key.text == "How do I reset it?");
  const std::string otherwise = R"({"role": "system", "content": "Be brief."},
      {"role": "user", "content": "Hey"}, {"role": "assistant", "content": "Hello"}, )";
  CHECK_FALSE(KeyOfText(Chat(otherwise + kAsk), last).frame == key.frame);
  CHECK(KeyOfText(Chat(otherwise + kAsk)).frame == KeyOfText(Chat(before + kAsk)).frame);
  CHECK(KeyOfText(Chat(before + kAsk)).text == "Hi\nHello\nHow do I reset it?");

  policy::Cache no_system = Rules();
  no_system.ignores_system = true;
  const std::string long_winded = R"({"role": "system", "content": "Be long."},
      {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, )";
  CHECK(KeyOfText(Chat(before + kAsk), no_system).exact ==
        KeyOfText(Chat(long_winded + kAsk), no_system).exact);
  CHECK_FALSE(KeyOfText(Chat(before + kAsk)).frame == KeyOfText(Chat(long_winded + kAsk)).frame);

  policy::Cache two = Rules();
  two.max_messages = 2;
  CHECK(KeyOfText(Chat(before + kAsk), two).bypass == "too_many_messages");
  policy::Cache no_user = Rules();
  no_user.ignored_fields = {"user"};
  CHECK(KeyOfText(Chat(kAsk, R"(, "user": "u")"), no_user).exact ==
        KeyOfText(Chat(kAsk), no_user).exact);
}

TEST_CASE("every dialect's dialogue is found") {
  struct Case {
    const char* target;
    const char* body;
    const char* text;
  };
  for (const Case& one : std::vector<Case>{
           {"/v1/responses", R"({"model": "m", "store": false, "instructions": "x", "input": "a"})",
            "a"},
           {"/v1/responses",
            R"({"model": "m", "store": false, "input": [{"role": "user", "content":
                [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]}]})",
            "a\nb"},
           {"/v1/completions", R"({"model": "m", "prompt": "a"})", "a"},
           {"/v1/completions", R"({"model": "m", "prompt": ["a", "b"]})", ""},
           {"/v1/messages",
            R"({"model": "m", "max_tokens": 9, "system": "x", "messages": [{"role": "user",
                "content": [{"type": "text", "text": "a"}]}]})",
            "a"},
           {"/v1beta/models/g:generateContent",
            R"({"contents": [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]})", "a\nb"},
           {"/model/m/converse", R"({"messages": [{"role": "user", "content": [{"text": "a"}]}]})",
            "a"}}) {
    INFO(one.body);
    const RequestKey key = KeyOfText(one.body, Rules(), one.target);
    CHECK(key.bypass.empty());
    CHECK(key.text == one.text);
  }
}

TEST_CASE("what only the provider can answer passes by") {
  const auto bypass = [](const char* target, const char* body) {
    return KeyOfText(body, Rules(), target).bypass;
  };
  CHECK(bypass("/v1/embeddings", R"({"model": "m", "input": "a"})") == "operation");
  CHECK(bypass("/model/anthropic.claude-3/invoke",
               R"({"max_tokens": 9, "messages": [{"role": "user", "content": "a"}]})") ==
        "operation");
  CHECK(bypass("/v1/responses", R"({"model": "m", "input": "a"})") == "provider_state");
  CHECK(bypass("/v1/responses",
               R"({"model": "m", "input": "a", "store": false, "previous_response_id": "r"})") ==
        "provider_state");
  CHECK(
      bypass("/v1/chat/completions",
             R"({"model": "m", "store": true, "messages": [{"role": "user", "content": "a"}]})") ==
      "provider_state");
}

// A request as a list of pieces, one of which is then changed.
struct Piece {
  enum class Kind { kFixed, kJson, kWord, kRole, kMeant };
  Kind kind = Kind::kFixed;
  std::string text = {};
};
using Kind = Piece::Kind;

std::string RandomWord(Random* random) {
  return std::string(1 + random->Below(3), static_cast<char>('a' + random->Below(26)));
}

std::vector<Piece> RandomRequest(Random* random) {
  std::vector<Piece> pieces = {{Kind::kFixed, R"({"model": "m")"}};
  for (const char* field : {"temperature", "seed", "x_new", "x_tools", "x_user", "logit_bias"}) {
    if (random->Below(2) == 0) continue;
    pieces.push_back({Kind::kFixed, Concat({", \"", field, "\": "})});
    const std::string word = Concat({"\"", RandomWord(random), "\""});
    const std::string values[] = {word, std::to_string(random->Below(100)),
                                  Concat({"[", word, "]"}),
                                  Concat({"{", word, ": {", word, ": null}}"})};
    pieces.push_back({Kind::kJson, values[random->Below(4)]});
  }
  if (pieces.back().kind == Kind::kJson && random->Below(2) == 0) {
    pieces.push_back({Kind::kFixed, R"(, "user_": ")"});
    pieces.push_back({Kind::kWord, RandomWord(random)});
    pieces.push_back({Kind::kFixed, R"(")"});
  }
  pieces.push_back({Kind::kFixed, R"(, "messages": [{"role": "system", "content": ")"});
  pieces.push_back({Kind::kWord, RandomWord(random)});
  const uint64_t turns = 1 + random->Below(4);
  for (uint64_t i = 0; i < turns; ++i) {
    pieces.push_back({Kind::kFixed, R"("}, {"role": ")"});
    pieces.push_back({Kind::kRole, i % 2 == 0 ? "user" : "assistant"});
    pieces.push_back({Kind::kFixed, R"(", "name": ")"});
    pieces.push_back({Kind::kWord, RandomWord(random)});
    pieces.push_back({Kind::kFixed, R"(", "content": ")"});
    pieces.push_back({Kind::kMeant, RandomWord(random)});
  }
  pieces.push_back({Kind::kFixed, R"("}]})"});
  return pieces;
}

std::string Joined(const std::vector<Piece>& pieces) {
  std::string text;
  for (const Piece& piece : pieces) text += piece.text;
  return text;
}

void Change(Piece* piece, Random* random) {
  if (piece->kind == Kind::kRole) {
    piece->text = piece->text == "user" ? "assistant" : "user";
  } else if (piece->kind == Kind::kJson) {
    piece->text = random->Below(2) == 0 ? Concat({"[", piece->text, "]"})
                                        : Concat({R"({"a": )", piece->text, "}"});
  } else {
    piece->text.insert(random->Below(piece->text.size() + 1), 1, '-');
  }
}

TEST_CASE("requests that differ in one field never share a key") {
  Random random(5);
  const int rounds = std::getenv("WEIR_LONG") != nullptr ? 100'000 : 2'000;
  for (int i = 0; i < rounds; ++i) {
    std::vector<Piece> pieces = RandomRequest(&random);
    const RequestKey before = KeyOfText(Joined(pieces));
    size_t at = random.Below(pieces.size());
    while (pieces[at].kind == Kind::kFixed) at = (at + 1) % pieces.size();
    Change(&pieces[at], &random);
    const RequestKey after = KeyOfText(Joined(pieces));
    INFO(Joined(pieces));
    REQUIRE_FALSE(after.exact == before.exact);
    REQUIRE((after.frame == before.frame) == (pieces[at].kind == Kind::kMeant));
  }
}

}  // namespace
}  // namespace weir::engine
