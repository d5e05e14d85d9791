// Tokenizer files that are not as they should be, and those that are known by themselves.

#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"
#include "tokens/loaded/normal_form.h"
#include "weir/tokenizer_files.h"

namespace weir::tokens {
namespace {

std::string Status(const absl::StatusOr<std::unique_ptr<Tokenizer>>& tokenizer) {
  if (tokenizer.ok()) return "";
  return std::string(tokenizer.status().message());
}

constexpr std::string_view kBpe =
    R"({"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<unk>":3},"merges":["a b"],"unk_token":"<unk>"})";
constexpr std::string_view kUnigram =
    R"({"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1.5],["ab",-2]]})";

// A tokenizer.json of these parts, each left out if it is empty.
std::string Json(std::string_view model, std::string_view normalizer = "",
                 std::string_view pre_tokenizer = "", std::string_view added = "") {
  std::string json = R"({"version":"1.0","model":)" + std::string(model);
  if (!normalizer.empty()) json += ",\"normalizer\":" + std::string(normalizer);
  if (!pre_tokenizer.empty()) json += ",\"pre_tokenizer\":" + std::string(pre_tokenizer);
  if (!added.empty()) json += ",\"added_tokens\":" + std::string(added);
  return json + "}";
}

std::vector<uint32_t> Ids(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<uint32_t> ids;
  const size_t count = tokenizer.Encode(text, &ids);
  CHECK(count == ids.size());
  CHECK(tokenizer.Count(text) == ids.size());
  return ids;
}

struct Bad {
  std::string json;
  std::string_view what;  // in the message
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

void CheckRefused(const std::vector<Bad>& bad) {
  for (const Bad& each : bad) {
    const auto tokenizer = LoadHuggingFace("bad", each.json);
    const std::string message = Status(tokenizer);
    INFO(each.json << "\n" << message);
    REQUIRE(!tokenizer.ok());
    CHECK(tokenizer.status().code() == each.code);
    CHECK(message.find(each.what) != std::string::npos);
  }
}

constexpr auto kUnsupported = absl::StatusCode::kUnimplemented;

TEST_CASE("a small tokenizer.json") {
  const auto bpe = LoadTokenizer("small", Json(kBpe));
  INFO(Status(bpe));
  REQUIRE(bpe.ok());
  CHECK((*bpe)->name() == "small");
  CHECK(Ids(**bpe, "abba") == std::vector<uint32_t>{2, 1, 0});
  CHECK(Ids(**bpe, "ax\xFF") == std::vector<uint32_t>{0, 3, 3});
  CHECK(Ids(**bpe, "").empty());
  CHECK((*bpe)->TokenBytes(2) == "ab");
  CHECK((*bpe)->TokenBytes(4).empty());
  const auto unigram = LoadTokenizer("small", Json(kUnigram));
  INFO(Status(unigram));
  REQUIRE(unigram.ok());
  CHECK(Ids(**unigram, "aabxxa") == std::vector<uint32_t>{1, 2, 0, 1});
}

TEST_CASE("special tokens are text, and added ones are found") {
  const auto tokenizer = LoadTokenizer(
      "added", Json(kBpe, "", "",
                    R"([{"id":4,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,)"
                    R"("normalized":false,"special":true},)"
                    R"({"id":5,"content":"<t>","single_word":false,"lstrip":false,"rstrip":true,)"
                    R"("normalized":false,"special":false}])"));
  INFO(Status(tokenizer));
  REQUIRE(tokenizer.ok());
  CHECK(Ids(**tokenizer, "a<s>") == std::vector<uint32_t>{0, 3, 3, 3});
  CHECK(Ids(**tokenizer, "a<t> \nb") == std::vector<uint32_t>{0, 5, 1});
  REQUIRE((*tokenizer)->Specials().size() == 1);
  CHECK((*tokenizer)->Specials()[0].text == "<s>");
  CHECK((*tokenizer)->Specials()[0].id == 4);
  CHECK((*tokenizer)->TokenBytes(4).empty());
  CHECK((*tokenizer)->TokenBytes(5) == "<t>");
}

TEST_CASE("models that are not sound are refused by field") {
  const auto bpe = [](std::string_view vocab, std::string_view merges, std::string_view more = "") {
    return Json(R"({"type":"BPE","vocab":)" + std::string(vocab) + R"(,"merges":)" +
                std::string(merges) + std::string(more) + "}");
  };
  const auto unigram = [](std::string_view vocab, std::string_view more = R"(,"unk_id":0)") {
    return Json(R"({"type":"Unigram","vocab":)" + std::string(vocab) + std::string(more) + "}");
  };
  CheckRefused({
      {"{", "line 1, column"},
      {"[]", "is not an object"},
      {"{}", "model is not an object"},
      {R"({"version":"2.0","model":{}})", "version", kUnsupported},
      {Json(R"({"type":"LSTM"})"), "'LSTM'", kUnsupported},
      {bpe("[]", "[]"), "model.vocab"},
      {bpe(R"({"a":-1})", "[]"), "model.vocab: 'a'"},
      {bpe(R"({"a":1.5})", "[]"), "out of range"},
      {bpe(R"({"a":"1"})", "[]"), "out of range"},
      {bpe(R"({"a":4294967296})", "[]"), "out of range"},
      {bpe(R"({"a":99999999999999999999999})", "[]"), "out of range"},
      {bpe(R"({"a":1,"b":1})", "[]"), "two tokens"},
      {bpe(R"({"a":1,"a":2})", "[]"), "line 1"},
      {bpe("{\"" + std::string(5000, 'a') + "\":1}", "[]"), "too long"},
      {bpe(R"({"a":1})", "{}"), "model.merges is not an array"},
      {bpe(R"({"a":1})", R"(["a"])"), "model.merges[0]"},
      {bpe(R"({"a":1})", R"(["a a"])"), "model.merges[0] has or makes what is no token"},
      {bpe(R"({"a":1,"aa":2})", R"(["a a",["a"]])"), "model.merges[1]"},
      {bpe(R"({"a":1,"aa":2})", R"(["a a",["a",1]])"), "model.merges[1]"},
      {bpe(R"({"a":1,"aa":2})", R"(["a a","a a a"])"), "model.merges[1]"},
      {bpe(R"({"a":1,"aa":2})", R"(["a x"])"), "'x'"},
      {bpe(R"({"a":1})", R"(["a a"])", R"(,"continuing_subword_prefix":"####")"), "merges[0]"},
      {bpe(R"({"a":1})", "[]", R"(,"unk_token":"b")"), "model.unk_token"},
      {bpe(R"({"a":1})", "[]", R"(,"dropout":0.1)"), "model.dropout", kUnsupported},
      {bpe(R"({"a":1})", "[]", R"(,"fuse_unk":1)"), "model.fuse_unk is not a boolean"},
      {bpe(R"({"a":1})", "[]", R"(,"surprise":1)"), "model.surprise", kUnsupported},
      {unigram("{}"), "model.vocab"},
      {unigram(R"([["a"]])"), "model.vocab[0]"},
      {unigram(R"([["a",0],["b","0"]])"), "model.vocab[1]"},
      {unigram(R"([["a",0],["b",1e999]])"), "model.vocab[1]"},
      {unigram(R"([["a",0],["a",1]])"), "model.vocab[1] is there twice"},
      {unigram("[[\"" + std::string(600, 'a') + "\",0]]"), "too long"},
      {unigram(R"([["a",0]])", R"(,"unk_id":1)"), "model.unk_id"},
      {unigram(R"([["a",0]])", ""), "model.unk_id"},
      {unigram("[]"), "model.unk_id"},
      {unigram(R"([["a",NaN]])"), "line 1"},
      {Json(R"({"type":"WordLevel","vocab":{"a":0},"unk_token":"b"})"), "model.unk_token"},
      {Json(R"({"type":"WordPiece","vocab":{"a":0},"unk_token":"a"})"), "continuing_subword"},
  });
}

TEST_CASE("steps that are not sound are refused by field") {
  const auto normalizer = [](std::string_view json) { return Json(kBpe, json); };
  const auto pre_tokenizer = [](std::string_view json) { return Json(kBpe, "", json); };
  const auto split = [&](std::string_view pattern) {
    return pre_tokenizer(R"({"type":"Split","pattern":)" + std::string(pattern) +
                         R"(,"behavior":"Isolated","invert":false})");
  };
  std::string deep = R"({"type":"Strip","strip_left":true,"strip_right":true})";
  for (int i = 0; i < 40; ++i) {
    deep = R"({"type":"Sequence","normalizers":[)" + deep + "," + deep.substr(0, 57) + "]}";
  }
  std::string growing = R"({"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaaaa"})";
  growing = R"({"type":"Sequence","normalizers":[)" + growing + "," + growing + "," + growing +
            "," + growing + "," + growing + "]}";
  CheckRefused({
      {normalizer("1"), "normalizer is not an object"},
      {normalizer("{}"), "normalizer.type"},
      {normalizer(R"({"type":"Mystery"})"), "normalizer.type 'Mystery'", kUnsupported},
      {normalizer(R"({"type":"NFC","x":1})"), kHasUtf8proc ? "normalizer.x" : "", kUnsupported},
      {normalizer(R"({"type":"Sequence"})"), "normalizer.normalizers"},
      {normalizer(R"({"type":"Sequence","normalizers":[{"type":"Nmt"},{"type":"?"}]})"),
       "normalizer.normalizers[1].type", kUnsupported},
      {normalizer(R"({"type":"Replace","pattern":{"String":""},"content":""})"), "pattern"},
      {normalizer(R"({"type":"Replace","pattern":{"Regex":"(a*)*"},"content":""})"),
       "normalizer.pattern: the pattern has a repeated group", kUnsupported},
      {normalizer(R"({"type":"Prepend","prepend":7})"), "normalizer.prepend"},
      {normalizer(R"({"type":"Strip","strip_left":true})"), "normalizer.strip_right"},
      {normalizer(growing), "far too long", kUnsupported},
      {pre_tokenizer(R"({"type":"UnicodeScripts"})"), "'UnicodeScripts'", kUnsupported},
      {pre_tokenizer(R"({"type":"ByteLevel"})"), "pre_tokenizer.add_prefix_space"},
      {pre_tokenizer(R"({"type":"Metaspace","replacement":"ab"})"), "replacement"},
      {pre_tokenizer(R"({"type":"Metaspace","replacement":"_","prepend_scheme":"x"})"), "scheme"},
      {split(R"({"Regex":"(?<!a)b"})"), "pre_tokenizer.pattern: the pattern has", kUnsupported},
      {split(R"({"Regex":"a*"})"), "can match nothing"},
      {split(R"({"Glob":"a"})"), "pre_tokenizer.pattern.Glob", kUnsupported},
      {split(R"("a")"), "pre_tokenizer.pattern is not an object"},
      {pre_tokenizer(R"({"type":"Split","pattern":{"String":"a"},"behavior":"x","invert":false})"),
       "pre_tokenizer.behavior"},
  });
  CHECK(!LoadHuggingFace("deep", normalizer(deep)).ok());
}

TEST_CASE("added tokens that are not sound are refused") {
  const auto added = [](std::string_view id, std::string_view content, std::string_view more = "") {
    return R"({"id":)" + std::string(id) + R"(,"content":")" + std::string(content) +
           R"(","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,)" +
           R"("special":false)" + std::string(more) + "}";
  };
  const auto file = [](const std::string& tokens) {
    return Json(kBpe, "", "", "[" + tokens + "]");
  };
  CheckRefused({
      {Json(kBpe, "", "", "{}"), "added_tokens"},
      {file("1"), "added_tokens[0]"},
      {file(R"({"id":9})"), "added_tokens[0].content"},
      {file(added("9", "")), "added_tokens[0].content is empty"},
      {file(added("-9", "x")), "added_tokens[0].id"},
      {file(added("99999999", "x")), "added_tokens[0].id is out of range"},
      {file(added("1", "x")), "another token has: 1"},
      {file(added("9", "x") + "," + added("9", "y")), "another token has: 9"},
      {file(added("9", "x") + "," + added("9", "x")), "added_tokens[1] is there twice"},
      {file(added("9", std::string(300, 'x'))), "longer than 256"},
      {file(added("9", "x", R"(,"maybe":1)")), "added_tokens[0].maybe", kUnsupported},
  });
}

std::string Base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += k <= bytes.size() - i ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

std::string Word(uint32_t value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return bytes;
}

// A charsmap with one block of empty units but for the first.
std::string CharsMap(uint32_t first_unit, uint32_t trie_bytes, const std::string& replacements) {
  std::string trie = Word(first_unit);
  while (trie.size() < 1024) trie += Word(0);
  return Word(trie_bytes) + trie + replacements;
}

TEST_CASE("compiled rules that lie about their offsets are refused") {
  if (!kHasUtf8proc) return;
  const auto file = [](const std::string& map) {
    return Json(kUnigram,
                R"({"type":"Precompiled","precompiled_charsmap":")" + Base64(map) + "\"}");
  };
  const std::string text("x\0", 2);
  CHECK(Status(LoadHuggingFace("map", file(CharsMap(0, 1024, text)))).empty());
  std::vector<Bad> bad = {
      {file("abc"), "precompiled_charsmap is cut short"},
      {file(CharsMap(0, 2048, text)), "wrong size"},
      {file(CharsMap(0, 0xFFFFFFFC, text)), "wrong size"},
      {file(CharsMap(0, 1022, text)), "wrong size"},
      {file(CharsMap(0, 0, text)), "wrong size"},
      {file(CharsMap(0x80000000, 1024, text)), "no root"},
      {file(CharsMap(1u << 20, 1024, text)), "points outside"},
      {file(CharsMap(0x7FFFFC00, 1024, text)), "points outside"},
      {file(CharsMap(0x200 | (1u << 12), 1024, text)), "points outside"},
      {file(CharsMap(0, 1024, "\xFF")), "not UTF-8"},
      {Json(kUnigram, R"({"type":"Precompiled","precompiled_charsmap":"*"})"), "not base64"},
  };
  // A value that is outside the replacements: the unit at 1 ^ 1 says that its child 1 holds one.
  std::string map = CharsMap(0x100 | (1u << 10), 1024, text);
  const size_t unit = map.find(Word(0x100 | (1u << 10))) + 4;
  map.replace(unit, 4, Word(0x80000000u | 1));
  CHECK(Status(LoadHuggingFace("map", file(map))).empty());
  map.replace(unit, 4, Word(0x80000000u | 2));
  bad.push_back({file(map), "outside itself"});
  map.replace(unit, 4, Word(0x80000000u));
  map.replace(4 + 1024, 2, std::string(400, 'x') + std::string(1, '\0'));
  bad.push_back({file(map), "too long"});
  CheckRefused(bad);
}

// Changes a few bytes: to any, to others of their kind (so that the file stays one of its format),
// or by leaving out and repeating.
void Damage(std::string* file, Random* random) {
  const uint64_t way = random->Below(8);
  if (way == 0) return file->resize(random->Below(file->size()));
  for (uint64_t n = 1 + random->Below(4); n > 0; --n) {
    const size_t at = random->Below(file->size());
    char& byte = (*file)[at];
    if (way == 1) {
      byte = static_cast<char>(random->Below(256));
    } else if (way == 2) {
      file->erase(at, 1 + random->Below(12));
    } else if (way == 3) {
      file->insert(at, *file, random->Below(file->size()), 1 + random->Below(40));
    } else if (byte >= '0' && byte <= '9') {
      byte = static_cast<char>('0' + random->Below(10));
    } else if (byte >= 'a' && byte <= 'z') {
      byte = static_cast<char>('a' + random->Below(26));
    } else if (byte >= 'A' && byte <= 'Z') {
      byte = static_cast<char>('A' + random->Below(26));
    }
  }
}

TEST_CASE("damaged files are refused or work") {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(testing::SourcePath("tests/tokens/loaded"))) {
    if (entry.path().extension() == ".jsonl" || entry.path().extension() == ".pattern") continue;
    files.push_back(*testing::ReadFile(entry.path().string()));
  }
  REQUIRE(files.size() > 40);
  const std::string text =
      "The \uFF21 gate  <tool_call> \u00E9\u4E16\u0301 \xFF 12'S \U0001F600\r\n";
  Random random(31);
  size_t worked = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string damaged = files[random.Below(files.size())];
    Damage(&damaged, &random);
    const auto tokenizer = LoadTokenizer("damaged", damaged);
    if (!tokenizer.ok()) continue;
    ++worked;
    for (const uint32_t id : Ids(**tokenizer, text)) (*tokenizer)->TokenBytes(id);
  }
  CHECK(worked > 300);
}

// The rank file that a table in lib/tokens/data was packed from.
std::string RankFile(const std::string& encoding) {
  const auto packed =
      testing::ReadFile(testing::SourcePath("lib/tokens/data/" + encoding + ".ranks"));
  REQUIRE(packed);
  std::string file;
  uint32_t rank = 0;
  for (size_t at = 12; at < packed->size(); ++rank) {
    const auto bytes = static_cast<unsigned char>((*packed)[at]);
    ++at;
    if (bytes == 0) continue;
    file += Base64(std::string_view(*packed).substr(at, bytes)) + " " + std::to_string(rank) + "\n";
    at += bytes;
  }
  return file;
}

TEST_CASE("published rank files are known and count as the built-in encodings") {
  const auto vectors = testing::ReadFile(testing::SourcePath("tests/tokens/data/vectors.jsonl"));
  REQUIRE(vectors);
  for (const std::string encoding : {"r50k_base", "p50k_base", "cl100k_base", "o200k_base"}) {
    const Tokenizer* const built_in = Find(encoding);
    const std::string file = RankFile(encoding);
    const auto loaded = LoadTokenizer(encoding, file);
    INFO(encoding << " " << Status(loaded));
    REQUIRE(loaded.ok());
    CHECK(!LoadTokenizer(encoding, file + "\n").ok());  // another file, though no other ranks
    CHECK(LoadTiktoken(encoding, file + "\n", encoding).ok());
    if (built_in == nullptr) continue;
    json::Document document;
    std::string_view rest = *vectors;
    while (!rest.empty()) {
      REQUIRE(document.Parse(rest.substr(0, rest.find('\n'))));
      rest.remove_prefix(rest.find('\n') + 1);
      const std::string_view text = document.root()["text"].text();
      INFO(document.root()["name"].text());
      CHECK(Ids(**loaded, text) == Ids(*built_in, text));
    }
    // One word of any letters is the longest of merges.
    Random random(32);
    for (size_t size = 30; size < 20000; size *= 2) {
      std::string text;
      const uint64_t letters = 1 + random.Below(26);
      while (text.size() < size) text += static_cast<char>('a' + random.Below(letters));
      CHECK(Ids(**loaded, text) == Ids(*built_in, text));
    }
  }
}

TEST_CASE("rank files that are not sound are refused") {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) {
    const char text[] = {static_cast<char>(byte)};
    bytes += Base64({text, 1}) + " " + std::to_string(byte) + "\n";
  }
  CHECK(LoadTiktoken("bytes", bytes, "gpt2").ok());
  CHECK(LoadTiktoken("bytes", bytes, "\\s+|\\S+").ok());
  const struct {
    std::string file;
    std::string_view pattern, what;
  } bad[] = {
      {"", "gpt2", "no rank for the byte 0"},
      {bytes.substr(7), "gpt2", "no rank for the byte 0"},
      {bytes + "YWI= 256\nYWI= 257\n", "gpt2", "line 258 has a token or a rank"},
      {bytes + "YWI= 255\n", "gpt2", "line 257 has a token or a rank"},
      {bytes + "YWI= 4294967297\n", "gpt2", "out of range"},
      {bytes + "YWI= -1\n", "gpt2", "line 257 is not"},
      {bytes + "YWI=256\n", "gpt2", "line 257 is not"},
      {bytes + "*** 256\n", "gpt2", "line 257 is not"},
      {bytes + Base64(std::string(257, 'a')) + " 256\n", "gpt2", "more than 256"},
      {bytes, "", "no pattern"},
      {bytes, "gpt5", "no pattern is called gpt5"},
      {bytes, "(a*)*", "repeated group"},
  };
  for (const auto& each : bad) {
    const std::string message = Status(LoadTiktoken("bad", each.file, each.pattern));
    INFO(message);
    CHECK(message.find(each.what) != std::string::npos);
  }
  CHECK(Status(LoadTokenizer("bytes", bytes)).find("its pattern must be given") !=
        std::string::npos);
}

TEST_CASE("long texts take their time in proportion") {
  std::vector<std::unique_ptr<Tokenizer>> tokenizers;
  for (const char* name : {"llama3", "gemma", "mistral_metaspace", "unigram_bytes", "bert", "qwen2",
                           "deepseek_v3", "mistral_first"}) {
    const auto file = testing::ReadFile(
        testing::SourcePath("tests/tokens/loaded/" + std::string(name) + ".json"));
    REQUIRE(file);
    auto tokenizer = LoadTokenizer(name, *file);
    if (!tokenizer.ok() && !kHasUtf8proc) continue;
    REQUIRE(tokenizer.ok());
    tokenizers.push_back(*std::move(tokenizer));
  }
  const std::string_view parts[] = {"a",          " ",       "\n",     "ab",         "\u4E16",
                                    "\U0001F600", "e\u0301", "\u0301", "1",          "^",
                                    "\xFF",       "\r\n",    "\u2581", "<tool_call>"};
  constexpr size_t kBytes = size_t{1} << 18;
  for (const auto& tokenizer : tokenizers) {
    for (const std::string_view part : parts) {
      std::string text;
      while (text.size() < kBytes) text += part;
      const auto start = std::chrono::steady_clock::now();
      INFO(tokenizer->name() << " " << part);
      CHECK(tokenizer->Count(text) <= 3 * text.size() + 1);
      // A quadratic step would take minutes; these take milliseconds, or a second with sanitizers.
      CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
    }
  }
}

}  // namespace
}  // namespace weir::tokens
