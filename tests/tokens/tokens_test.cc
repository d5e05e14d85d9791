// Names, models, edge cases of the interface.

#include "weir/tokens.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tokens/utf8_class.h"

namespace weir::tokens {
namespace {

TEST_CASE("the built-in tokenizers are found by name") {
  for (const std::string_view name : EncodingNames()) {
    REQUIRE(Find(name) != nullptr);
    CHECK(Find(name)->name() == name);
    CHECK(Find(name) == Find(name));
  }
  CHECK(EncodingNames().size() == 6);
  for (const char* unknown : {"", "o200k", "O200K_BASE", "o200k_base ", "r50k", "gpt-4o"}) {
    CHECK(Find(unknown) == nullptr);
  }
}

TEST_CASE("ids are appended") {
  std::vector<uint32_t> ids = {7};
  CHECK(Find("cl100k_base")->Encode("hello world", &ids) == 2);
  CHECK(ids == std::vector<uint32_t>{7, 15339, 1917});
  CHECK(Find("cl100k_base")->Encode("", &ids) == 0);
  CHECK(ids.size() == 3);
  CHECK(Find("cl100k_base")->Count(std::string_view()) == 0);
}

TEST_CASE("special tokens in text are text") {
  for (const char* encoding : {"cl100k_base", "o200k_base"}) {
    const Tokenizer* tokenizer = Find(encoding);
    CHECK(tokenizer->Count("<|endoftext|>") == 7);
    for (const std::string text :
         {"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|endofprompt|>",
          "<|startoftext|>", "<|return|>", "<|constrain|>", "<|channel|>", "<|start|>", "<|end|>",
          "<|message|>", "<|call|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>"}) {
      std::vector<uint32_t> ids;
      CHECK(tokenizer->Encode(text, &ids) > 1);
      std::string joined;
      for (const uint32_t id : ids) joined += tokenizer->TokenBytes(id);
      CHECK(joined == text);
    }
  }
}

TEST_CASE("each maximal ill-formed part counts as one U+FFFD") {
  const struct {
    std::string_view bytes, lossy;
  } cases[] = {
      {"\xFF", "\uFFFD"},
      {"a\x80z", "a\uFFFDz"},
      {"\xC0\xAF", "\uFFFD\uFFFD"},                                // overlong
      {"\xE0\x80\xAF", "\uFFFD\uFFFD\uFFFD"},                      // overlong
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},                      // a surrogate
      {"\xF4\x91\x92\x93\xFF", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"},  // above U+10FFFF
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "\uFFFD\uFFFD\uFFFD\uFFFD\x41"},
      {"\xE4\xB8", "\uFFFD"},  // cut short at the end
      {"\xF0\x9F\x98", "\uFFFD"},
      {"it\xFF's", "it\uFFFD's"},
      {"\xE4\xB8\xAD\xE4\xB8", "\u4E2D\uFFFD"},
  };
  for (const auto& test : cases) {
    std::string lossy;
    AppendLossy(&lossy, test.bytes);
    CHECK(lossy == test.lossy);
    for (const std::string_view name : EncodingNames()) {
      std::vector<uint32_t> from_bytes, from_text;
      Find(name)->Encode(test.bytes, &from_bytes);
      Find(name)->Encode(test.lossy, &from_text);
      CHECK(from_bytes == from_text);
      CHECK(Find(name)->Count(test.bytes) == from_text.size());
    }
  }
}

TEST_CASE("classes are those of Unicode 16.0") {
  for (const char32_t letter : {0x1C89, 0x10D50, 0x105C0, 0x16D40, 0x2EBF0}) {
    const CharClass c = ClassOf(letter);
    CHECK((c == kUpper || c == kLower || c == kLetter));
  }
  // Assigned in 17.0.
  for (const char32_t later : {0x088F, 0x0C5C, 0x0CDC, 0xA7CE, 0x10940, 0x11DB0, 0x11DE0, 0x16EA0,
                               0x1E6C0, 0x323B0, 0x33479}) {
    CHECK(ClassOf(later) == kOther);
  }
  for (const char32_t space : {0x09, 0x0B, 0x0C, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028,
                               0x2029, 0x202F, 0x205F, 0x3000}) {
    CHECK(ClassOf(space) == kSpace);
  }
  for (const char32_t not_space : {0xFEFF, 0x200B, 0x180E, 0x2060}) {
    CHECK(ClassOf(not_space) == kOther);
  }
  CHECK(ClassOf(U'\r') == kNewline);
  CHECK(ClassOf(U'\n') == kNewline);
  CHECK(ClassOf(0x01C5) == kUpper);  // titlecase
  CHECK(ClassOf(0x02B0) == kLetter);
  CHECK(ClassOf(0x0301) == kMark);
  CHECK(ClassOf(0x00BD) == kNumber);
  CHECK(ClassOf(0xE00FF) == kOther);
  CHECK(ClassOf(0xE0100) == kMark);
  CHECK(ClassOf(0xE01EF) == kMark);
  CHECK(ClassOf(0xE01F0) == kOther);
  CHECK(ClassOf(0x3FFFF) == kOther);
  CHECK(ClassOf(0x40000) == kOther);
  CHECK(ClassOf(0x10FFFF) == kOther);
  size_t by_class[8] = {};
  for (char32_t c = 0; c < 0x110000; ++c) ++by_class[ClassOf(c)];
  // Lu + Lt, Ll, Lm + Lo, M, N, as UnicodeData 16.0 has them.
  CHECK(by_class[kUpper] == 1858 + 31);
  CHECK(by_class[kLower] == 2258);
  CHECK(by_class[kLetter] == 404 + 136477);
  CHECK(by_class[kMark] == 2020 + 468 + 13);
  CHECK(by_class[kNumber] == 760 + 236 + 915);
  CHECK(by_class[kSpace] + by_class[kNewline] == 25);
  for (char32_t c = 0; c < 0x80; ++c) CHECK(kByteClass[c] == ClassOf(c));
}

TEST_CASE("models have their encodings") {
  for (const char* model : {"gpt-4o",
                            "gpt-4o-2024-08-06",
                            "gpt-4o-mini",
                            "gpt-4o-mini-2024-07-18",
                            "gpt-4o-audio-preview",
                            "chatgpt-4o-latest",
                            "gpt-4.1",
                            "gpt-4.1-nano-2025-04-14",
                            "gpt-4.5-preview",
                            "gpt-5",
                            "gpt-5-mini",
                            "gpt-5-chat-latest",
                            "gpt-5.1",
                            "gpt-5.2-pro",
                            "o1",
                            "o1-mini",
                            "o1-pro",
                            "o3",
                            "o3-mini-2025-01-31",
                            "o4-mini",
                            "o4-mini-2025-04-16",
                            "ft:gpt-4o:org::id",
                            "ft:gpt-4o-mini-2024-07-18:org:name:id",
                            "ft:gpt-4.1:x"}) {
    INFO(model);
    CHECK(EncodingForModel(model) == "o200k_base");
  }
  CHECK(EncodingForModel("gpt-oss-120b") == "o200k_harmony");
  CHECK(EncodingForModel("gpt-oss:20b") == "o200k_harmony");
  CHECK(EncodingForModel("text-davinci-003") == "p50k_base");
  CHECK(EncodingForModel("code-davinci-edit-001") == "p50k_edit");
  CHECK(EncodingForModel("text-davinci-edit-001") == "p50k_edit");
  CHECK(EncodingForModel("davinci") == "r50k_base");
  CHECK(EncodingForModel("text-search-ada-doc-001") == "r50k_base");
  for (const char* model : {"gpt-4",
                            "gpt-4-0613",
                            "gpt-4-32k",
                            "gpt-4-turbo",
                            "gpt-4-turbo-2024-04-09",
                            "gpt-4-vision-preview",
                            "gpt-3.5-turbo",
                            "gpt-3.5-turbo-0125",
                            "gpt-3.5-turbo-16k",
                            "gpt-3.5-turbo-instruct",
                            "gpt-35-turbo",
                            "gpt-35-turbo-16k",
                            "text-embedding-3-small",
                            "text-embedding-3-large",
                            "text-embedding-ada-002",
                            "davinci-002",
                            "babbage-002",
                            "ft:gpt-3.5-turbo-0613:org::id",
                            "ft:gpt-4:org::id",
                            "ft:babbage-002:x"}) {
    INFO(model);
    CHECK(EncodingForModel(model) == "cl100k_base");
  }
  for (const char* model : {"",
                            "ft:",
                            "gpt",
                            "gpt-",
                            "gpt-4omni",
                            "gpt-41",
                            "gpt-4.2",
                            "gpt-50",
                            "o1x",
                            "o2",
                            "o",
                            "o30",
                            "o4",
                            "o5-mini",
                            "claude-3-opus",
                            "gemini-1.5-pro",
                            "llama-3",
                            "text-embedding-3",
                            "text-embedding-ada-001",
                            "GPT-4O",
                            " gpt-4o",
                            "xgpt-4o",
                            "ft:ft:gpt-4o"}) {
    INFO(model);
    CHECK(EncodingForModel(model).empty());
  }
}

TEST_CASE("a deployment's name hints at its model") {
  struct Row {
    std::string_view name, hint;
  };
  constexpr Row kRows[] = {{"prod-gpt-4o-eu", "gpt-4o-eu"},
                           {"team_a_GPT-4O", "gpt-4o"},
                           {"gpt4o", "gpt-4o"},
                           {"our.gpt35-turbo-16k", "gpt-35-turbo-16k"},
                           {"gpt_4", "gpt-4"},
                           {"openai/gpt-4.1-mini", "gpt-4.1-mini"},
                           {"azure/eu/o3-mini", "o3-mini"},
                           {"openai/text-embedding-3-small", "text-embedding-3-small"},
                           {"gpt-4o", ""},  // a model itself
                           {"gpt-4.2", ""},
                           {"xgpt-4o", ""},
                           {"gpt-41", ""},
                           {"llama-3", ""},
                           {"my-ada", ""},
                           {"claude-3-opus", ""},
                           {"", ""}};
  for (const Row& row : kRows) {
    INFO(row.name);
    CHECK(ModelHint(row.name) == row.hint);
  }
  CHECK(ModelHint(std::string(1000, '-') + "gpt-4o").empty());
}

}  // namespace
}  // namespace weir::tokens
