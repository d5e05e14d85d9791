// Models trained here by spm_train, and hostile bytes.

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"
#include "tokens/sentence_model.h"
#include "weir/tokenizer_files.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "weir_spm_XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Runs a program of the package "sentencepiece"; false when it is missing or fails.
bool Run(const std::string& command) {
  return std::system((command + " 2>/dev/null").c_str()) == 0;
}

bool HaveTrainer() {
  static const bool have = kHasSentencePiece && Run("command -v spm_train spm_encode >/dev/null");
  static bool said = false;
  if (!have && !said) std::cerr << "skipped: no SentencePiece or no spm_train here\n";
  said = true;
  return have;
}

void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::vector<std::string> Sentences() {
  static const std::vector<std::string> nouns = {
      "gateway", "limit",     "budget",       "model",
      "stream",  "caf\u00E9", "\u4E16\u754C", "\u043C\u0438\u0440"};
  static const std::vector<std::string> verbs = {"counts", "refuses", "admits", "measures",
                                                 "meets"};
  std::vector<std::string> sentences;
  Random random(8);
  for (int i = 0; i < 600; ++i) {
    sentences.push_back(
        "The " + nouns[random.Below(nouns.size())] + " " + verbs[random.Below(verbs.size())] +
        " the " + nouns[random.Below(nouns.size())] + " " + std::to_string(random.Below(100)));
  }
  return sentences;
}

// A model of `type` in `folder`; nullopt when training failed.
std::optional<std::string> Train(const std::string& folder, const std::string& type) {
  std::string corpus;
  for (const std::string& sentence : Sentences()) corpus += sentence + "\n";
  WriteFile(folder + "/corpus.txt", corpus);
  if (!Run("spm_train --input=" + folder + "/corpus.txt --model_prefix=" + folder + "/" + type +
           " --model_type=" + type +
           " --vocab_size=400 --byte_fallback=true --hard_vocab_limit=false"
           " --num_threads=1 --minloglevel=2")) {
    return std::nullopt;
  }
  return testing::ReadFile(folder + "/" + type + ".model");
}

TEST_CASE("SentencePiece models count as spm_encode does") {
  if (!HaveTrainer()) return;
  TemporaryFolder folder;
  for (const char* type : {"bpe", "unigram"}) {
    const auto model = Train(folder.path(), type);
    REQUIRE(model);
    auto tokenizer = LoadSentencePiece("tiny", *model);
    REQUIRE(tokenizer.ok());
    CHECK((*tokenizer)->name() == "tiny");
    std::vector<std::string> texts = Sentences();
    texts.resize(100);
    texts.push_back("unseen words \U0001F600 and  double  blanks");
    std::string input;
    for (const std::string& text : texts) input += text + "\n";
    WriteFile(folder.path() + "/in.txt", input);
    REQUIRE(Run("spm_encode --output_format=id --model=" + folder.path() + "/" + type + ".model <" +
                folder.path() + "/in.txt >" + folder.path() + "/out.txt"));
    std::ifstream out(folder.path() + "/out.txt");
    for (const std::string& text : texts) {
      std::string line;
      REQUIRE(std::getline(out, line));
      std::istringstream numbers(line);
      std::vector<uint32_t> expected, found;
      for (uint32_t id; numbers >> id;) expected.push_back(id);
      CHECK((*tokenizer)->Encode(text, &found) == expected.size());
      CHECK(found == expected);
      CHECK((*tokenizer)->Count(text) == expected.size());
    }
    CHECK((*tokenizer)->Count("") == 0);
    CHECK((*tokenizer)
              ->Count("\xFF"
                      "a") == (*tokenizer)
                                  ->Count("\uFFFD"
                                          "a"));
  }
}

TEST_CASE("SentencePiece ids have bytes") {
  if (!HaveTrainer()) return;
  TemporaryFolder folder;
  const auto model = Train(folder.path(), "bpe");
  REQUIRE(model);
  auto tokenizer = LoadSentencePiece("tiny", *model);
  REQUIRE(tokenizer.ok());
  const std::string text = "The gateway admits the \U0001F600 budget 7";
  std::vector<uint32_t> ids;
  (*tokenizer)->Encode(text, &ids);
  std::string joined;
  for (const uint32_t id : ids) joined += (*tokenizer)->TokenBytes(id);
  CHECK(joined == " " + text);  // the model's own leading blank
  CHECK((*tokenizer)->TokenBytes(1u << 30).empty());
  CHECK((*tokenizer)->TokenBytes(~0u).empty());
}

TEST_CASE("bytes that are no model are refused") {
  std::vector<std::string> hostile = {"", std::string(1, '\0'), "model", std::string(1000, '\xFF'),
                                      std::string("\x0A\xFF\xFF\xFF\xFF\x7F", 6)};
  Random random(9);
  for (int i = 0; i < 200; ++i) {
    std::string bytes;
    for (uint64_t n = random.Below(200); n > 0; --n) bytes += static_cast<char>(random.Below(256));
    hostile.push_back(bytes);
  }
  for (const std::string& bytes : hostile) {
    const auto tokenizer = LoadSentencePiece("x", bytes);
    REQUIRE(!tokenizer.ok());
    CHECK(tokenizer.status().code() == (kHasSentencePiece ? absl::StatusCode::kInvalidArgument
                                                          : absl::StatusCode::kUnimplemented));
  }
}

TEST_CASE("damaged models are refused or work") {
  if (!HaveTrainer()) return;
  TemporaryFolder folder;
  const auto model = Train(folder.path(), "unigram");
  REQUIRE(model);
  Random random(10);
  for (int round = 0; round < 400; ++round) {
    std::string damaged = *model;
    if (round % 4 == 0) damaged.resize(random.Below(damaged.size()));
    for (uint64_t n = random.Below(6); n > 0 && !damaged.empty(); --n) {
      damaged[random.Below(damaged.size())] = static_cast<char>(random.Below(256));
    }
    const auto tokenizer = LoadSentencePiece("damaged", damaged);
    if (!tokenizer.ok()) continue;
    std::vector<uint32_t> ids;
    const std::string text = "The \uFF21 gateway \u00E9\u4E16 \xFF 12 \U0001F600";
    const size_t count = (*tokenizer)->Encode(text, &ids);
    CHECK(count == ids.size());
    for (const uint32_t id : ids) (*tokenizer)->TokenBytes(id);
  }
}

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string Delimited(int field, const std::string& bytes) {
  return Varint(static_cast<uint64_t>(field) << 3 | 2) + Varint(bytes.size()) + bytes;
}

std::string Piece(const std::string& text, float score) {
  std::string bits(4, '\0');
  std::memcpy(bits.data(), &score, 4);
  return Delimited(1, Delimited(1, text) + "\x15" + bits);
}

std::string Word(uint32_t value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return bytes;
}

// A normalizer whose double array has one block of empty units but for the first.
std::string WithCharsMap(uint32_t first_unit, uint32_t trie_bytes,
                         const std::string& replacements) {
  std::string trie = Word(first_unit);
  while (trie.size() < 1024) trie += Word(0);
  return Piece("a", 0) + Delimited(3, Delimited(2, Word(trie_bytes) + trie + replacements));
}

TEST_CASE("what SentencePiece takes on trust is checked") {
  const std::string text("x\0", 2);
  CHECK(CheckSentenceModel(Piece("a", -1.5f)).empty());
  CHECK(CheckSentenceModel(WithCharsMap(0, 1024, text)).empty());
  CHECK(CheckSentenceModel(Piece("<0x-1>", 0)).empty());  // only a name: never an index
  const std::string bad[] = {
      "",
      Delimited(2, ""),  // no pieces
      Piece("", 0),
      Piece(std::string("a\0b", 3), 0),
      Piece(std::string(5000, 'a'), 0),
      Piece("a", __builtin_nanf("")),
      Piece("a", __builtin_inff()),
      Piece("a", 0) + "\x0B",        // a group
      Piece("a", 0) + "\x0A\x05xx",  // cut short
      Piece("a", 0) + Delimited(3, Delimited(2, "abc")),
      WithCharsMap(0, 2048, text),  // the size of the array is outside
      WithCharsMap(0, 0xFFFFFFFC, text),
      WithCharsMap(0, 1022, text),
      WithCharsMap(0, 1024, "x"),          // no end
      WithCharsMap(1u << 20, 1024, text),  // children outside
      WithCharsMap(0x7FFFFC00, 1024, text),
      WithCharsMap(0x200 | (1u << 12), 1024, text),  // the offset's long form
  };
  for (const std::string& bytes : bad) CHECK(!CheckSentenceModel(bytes).empty());
  // A value that is outside the replacements: the unit at 1 ^ 1 says that its child 1 holds one.
  std::string map = WithCharsMap(0x100 | (1u << 10), 1024, text);
  const size_t unit = map.find(Word(0x100 | (1u << 10))) + 4;
  map.replace(unit, 4, Word(0x80000000u | 1));
  CHECK(CheckSentenceModel(map).empty());
  map.replace(unit, 4, Word(0x80000000u | 2));
  CHECK(!CheckSentenceModel(map).empty());
}

}  // namespace
}  // namespace weir::tokens
