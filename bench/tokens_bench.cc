// Token counting against the usual way to do it: the same pre-tokenizer, the whole piece looked up
// in a hash map of byte strings, else pair merging over that map by its definition. Each call takes
// the next window of a made-up megabyte, so that no call sees the text of the one before.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "tokens/pretokenizer.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

constexpr size_t kTextBytes = size_t{1} << 20;

// Words as running text has them: most are in the vocabulary, the frequent ones far more often, and
// one in twelve is made up of syllables and so is merged from several tokens.
class WordSource {
 public:
  explicit WordSource(uint64_t seed) : random_(seed) {
    const Tokenizer* vocabulary = Find("cl100k_base");
    for (uint32_t id = 256; id < 60000; ++id) {
      const std::string_view bytes = vocabulary->TokenBytes(id);
      const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
      if (bytes.size() > 2 && bytes[0] == ' ' &&
          std::all_of(bytes.begin() + 1, bytes.end(), is_lower)) {
        words_.emplace_back(bytes.substr(1));
      }
    }
  }

  std::string Next() {
    static constexpr std::string_view kSyllables[] = {
        "con", "ter", "ment", "pro", "tion", "re", "ing",  "ver", "al",
        "de",  "com", "per",  "ous", "ist",  "an", "en",   "er",  "tri",
        "bu",  "lo",  "mar",  "sta", "ble",  "ly", "ness", "un",  "gra"};
    if (random_.Below(12) == 0) {
      std::string word;
      for (uint64_t n = 2 + random_.Below(3); n > 0; --n) {
        word += kSyllables[random_.Below(std::size(kSyllables))];
      }
      return word;
    }
    // Halving the range at random makes the frequency fall about as one over the rank.
    uint64_t range = words_.size();
    while (range > 32 && random_.Below(4) != 0) range /= 2;
    return words_[random_.Below(range)];
  }
  uint64_t Below(uint64_t bound) { return random_.Below(bound); }

 private:
  Random random_;
  std::vector<std::string> words_;
};

std::string Prose(WordSource* source, size_t sentences) {
  std::string text;
  for (; sentences > 0; --sentences) {
    for (uint64_t n = 6 + source->Below(14), i = 0; i < n; ++i) {
      std::string word = source->Next();
      if (i == 0) word[0] = static_cast<char>(word[0] - 32);
      text += word;
      if (i + 1 < n) text += source->Below(9) == 0 ? ", " : " ";
    }
    text += source->Below(6) == 0 ? "? " : ". ";
  }
  return text;
}

std::string English() {
  WordSource source(1);
  std::string text;
  while (text.size() < kTextBytes) text += Prose(&source, 5) + "\n\n";
  return text;
}

std::string Code() {
  WordSource source(2);
  std::string text;
  while (text.size() < kTextBytes) {
    const std::string a = source.Next(), b = source.Next(), c = source.Next();
    text += "int " + a + "_" + b + "(const " + c + "& " + b +
            ", size_t n) {\n  for (size_t i = 0; i < n; ++i) {\n";
    for (uint64_t n = 1 + source.Below(5); n > 0; --n) {
      text += "    if (" + source.Next() + "[i] != " + std::to_string(source.Below(5000)) + ") " +
              source.Next() + "->" + source.Next() + "(i, \"" + source.Next() + "\");\n";
    }
    text += "  }\n  return " + a + ";  // " + Prose(&source, 1) + "\n}\n\n";
  }
  return text;
}

std::string Chat() {
  WordSource source(3);
  std::string text;
  const std::string code = Code();
  while (text.size() < kTextBytes) {
    text += "user: " + Prose(&source, 1 + source.Below(3)) + "\nassistant: " + Prose(&source, 3);
    if (source.Below(4) == 0)
      text += "\n```cpp\n" + code.substr(source.Below(500000), 300) + "\n```";
    text += "\n";
  }
  return text;
}

const std::string& Text(int64_t kind) {
  static const std::string texts[] = {English(), Chat(), Code(), std::string(1000000, 'a')};
  return texts[kind];
}
constexpr const char* kKinds[] = {"english", "chat", "code", "a_x1MB"};
constexpr const char* kEncodings[] = {"cl100k_base", "o200k_base"};

// The neighbour.
class HashMapTokenizer {
 public:
  explicit HashMapTokenizer(const Tokenizer& tokenizer) {
    for (uint32_t id = 0; id < 200000; ++id) {
      const std::string_view bytes = tokenizer.TokenBytes(id);
      if (!bytes.empty()) ranks_.emplace(bytes, id);
    }
  }

  template <Pattern kPattern>
  size_t Count(std::string_view text) const {
    size_t total = 0;
    for (Pretokenizer<kPattern> pieces(text); pieces.Next();) {
      total += ranks_.count(pieces.piece()) != 0 ? 1 : Merge(pieces.piece());
    }
    return total;
  }

 private:
  size_t Merge(std::string_view piece) const {
    std::vector<size_t> cuts(piece.size() + 1);
    for (size_t i = 0; i < cuts.size(); ++i) cuts[i] = i;
    for (;;) {
      uint32_t best = ~0u;
      size_t best_at = 0;
      for (size_t i = 0; i + 2 < cuts.size(); ++i) {
        const auto found = ranks_.find(piece.substr(cuts[i], cuts[i + 2] - cuts[i]));
        if (found != ranks_.end() && found->second < best) {
          best = found->second;
          best_at = i;
        }
      }
      if (best == ~0u) return cuts.size() - 1;
      cuts.erase(cuts.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
    }
  }

  std::unordered_map<std::string_view, uint32_t> ranks_;
};

// Calls `count` on a window of range(1) bytes that moves through the text.
template <typename CountText>
void Windows(benchmark::State& state, CountText count) {
  const std::string& text = Text(state.range(0));
  const size_t bytes = std::min(static_cast<size_t>(state.range(1)), text.size());
  size_t at = 0, tokens = 0;
  for (auto _ : state) {
    tokens += count(std::string_view(text).substr(at, bytes));
    at += bytes;
    if (at + bytes > text.size()) at = 0;
  }
  benchmark::DoNotOptimize(tokens);
  state.SetBytesProcessed(static_cast<int64_t>(bytes) * state.iterations());
  state.SetLabel(std::string(kKinds[state.range(0)]) + " " + kEncodings[state.range(2)]);
}

void BM_Count_weir(benchmark::State& state) {
  const Tokenizer* tokenizer = Find(kEncodings[state.range(2)]);
  Windows(state, [tokenizer](std::string_view text) { return tokenizer->Count(text); });
}

void BM_Encode_weir(benchmark::State& state) {
  const Tokenizer* tokenizer = Find(kEncodings[state.range(2)]);
  std::vector<uint32_t> ids;
  Windows(state, [&](std::string_view text) {
    ids.clear();
    return tokenizer->Encode(text, &ids);
  });
}

void BM_Count_hash_map(benchmark::State& state) {
  static const HashMapTokenizer cl100k(*Find("cl100k_base")), o200k(*Find("o200k_base"));
  const bool is_o200k = state.range(2) == 1;
  Windows(state, [is_o200k](std::string_view text) {
    return is_o200k ? o200k.Count<Pattern::kO200k>(text) : cl100k.Count<Pattern::kCl100k>(text);
  });
}

// A text of 10 MB that is known not to fit in 1,000 tokens.
void BM_CountUpTo_weir(benchmark::State& state) {
  static const std::string text = [] {
    std::string text;
    while (text.size() < 10 * kTextBytes) text += Text(0);
    return text;
  }();
  const size_t bytes = static_cast<size_t>(state.range(0));
  const Tokenizer* tokenizer = Find("o200k_base");
  for (auto _ : state) {
    benchmark::DoNotOptimize(tokenizer->CountUpTo(std::string_view(text).substr(0, bytes), 1000));
  }
}

// Text in pieces of 5 bytes, as a stream brings it.
void BM_Counter_weir(benchmark::State& state) {
  const std::string& text = Text(1);
  for (auto _ : state) {
    Counter counter(*Find("o200k_base"));
    for (size_t at = 0; at < 16384; at += 5) {
      counter.Append(std::string_view(text).substr(at, 5));
    }
    benchmark::DoNotOptimize(counter.Total());
  }
  state.SetBytesProcessed(16384 * state.iterations());
}

std::string RandomUnits(const std::vector<std::string>& units, size_t bytes) {
  Random random(4);
  std::string text;
  while (text.size() < bytes) text += units[random.Below(units.size())];
  return text;
}

// The characters of two or three bytes from `first` on.
std::vector<std::string> Characters(uint32_t first, uint32_t count) {
  std::vector<std::string> characters;
  for (uint32_t c = first; c < first + count; ++c) {
    std::string bytes;
    if (c >= 0x800) bytes += static_cast<char>(0xE0 | c >> 12);
    bytes += static_cast<char>(c >= 0x800 ? 0x80 | (c >> 6 & 0x3F) : 0xC0 | c >> 6);
    bytes += static_cast<char>(0x80 | (c & 0x3F));
    characters.push_back(bytes);
  }
  return characters;
}

std::vector<std::string> Bytes(uint32_t first, uint32_t count) {
  std::vector<std::string> bytes;
  for (uint32_t c = first; c < first + count; ++c) bytes.emplace_back(1, static_cast<char>(c));
  return bytes;
}

std::vector<std::string> BytesOf(std::string_view alphabet) {
  std::vector<std::string> bytes;
  for (const char c : alphabet) bytes.emplace_back(1, c);
  return bytes;
}

// What attacks a counter: a text without end of one thing, or of things chosen at random.
struct Pathological {
  const char* name;
  std::vector<std::string> units;
};

const std::vector<Pathological>& PathologicalTexts() {
  static const std::vector<Pathological> texts = {
      {"letter", {"a"}},
      {"spaces", {" "}},
      {"newlines", {"\n"}},
      {"crlf", {"\r\n"}},
      {"digits", {"1234567890"}},
      {"carets", {"^"}},
      {"abab", {"ab"}},
      {"cases", {"aA"}},
      {"letter_digit", {"a1"}},
      {"han", {"\u4E2D"}},
      {"emoji", {"\U0001F600"}},
      {"families", {"\U0001F468\u200D\U0001F469\u200D\U0001F467"}},
      {"marks", {"\u0301"}},
      {"bytes_80", {"\x80"}},
      {"contractions", {"'s"}},
      {"random_letters", BytesOf("abcdefghijklmnopqrstuvwxyz")},
      {"random_cases", BytesOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")},
      {"random_base64",
       BytesOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/")},
      {"random_hex", BytesOf("0123456789abcdef")},
      {"random_punctuation", BytesOf("!#$%&()*+,-.:;<=>?@[]^_{|}~")},
      {"random_blanks", BytesOf(" \t\n\r")},
      {"random_han", Characters(0x4E00, 20000)},
      {"random_kana", Characters(0x3041, 180)},
      {"random_hangul", Characters(0xAC00, 11000)},
      {"random_cyrillic", Characters(0x410, 64)},
      {"random_thai", Characters(0xE01, 58)},
      {"random_bytes", Bytes(0, 256)},
  };
  return texts;
}

void BM_Pathological_weir(benchmark::State& state) {
  const Pathological& pathological = PathologicalTexts()[static_cast<size_t>(state.range(0))];
  const Tokenizer* tokenizer = Find(kEncodings[state.range(1)]);
  const std::string text =
      RandomUnits(pathological.units, static_cast<size_t>(state.range(2)) * 1000000);
  size_t tokens = 0;
  for (auto _ : state) tokens += tokenizer->Count(text);
  benchmark::DoNotOptimize(tokens);
  state.SetBytesProcessed(static_cast<int64_t>(text.size()) * state.iterations());
  state.SetLabel(std::string(pathological.name) + " " + kEncodings[state.range(1)]);
}

// A file of the corpus in documents.
std::vector<std::string> Documents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  constexpr size_t kDocument = 4096;
  std::vector<std::string> documents;
  for (size_t at = 0; at < text.size(); at += kDocument) {
    documents.push_back(text.substr(at, kDocument));
  }
  return documents;
}

void CountDocuments(benchmark::State& state, const std::vector<std::string>& documents,
                    size_t begin) {
  const Tokenizer* tokenizer = Find("o200k_base");
  size_t tokens = 0, bytes = 0;
  for (auto _ : state) {
    for (size_t i = begin; i < documents.size(); ++i) tokens += tokenizer->Count(documents[i]);
  }
  for (size_t i = begin; i < documents.size(); ++i) bytes += documents[i].size();
  benchmark::DoNotOptimize(tokens);
  state.SetBytesProcessed(static_cast<int64_t>(bytes) * state.iterations());
}

void RegisterCorpus(const char* folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".txt") continue;
    const std::string name = entry.path().stem().string();
    benchmark::RegisterBenchmark(("warm/" + name).c_str(), [path = entry.path()](auto& state) {
      CountDocuments(state, Documents(path), 0);
    });
    benchmark::RegisterBenchmark(("unseen/" + name).c_str(), [path = entry.path()](auto& state) {
      const std::vector<std::string> documents = Documents(path);
      const size_t seen = documents.size() * 4 / 5;
      for (size_t i = 0; i < seen; ++i) Find("o200k_base")->Count(documents[i]);
      CountDocuments(state, documents, seen);
    })->Iterations(1);
  }
}

const bool corpus_is_registered = [] {
  const char* folder = std::getenv("WEIR_CORPUS");
  if (folder != nullptr) RegisterCorpus(folder);
  return folder != nullptr;
}();

template <Pattern kPattern>
void BM_Pretokenize_weir(benchmark::State& state) {
  Windows(state, [](std::string_view text) {
    size_t pieces = 0;
    for (Pretokenizer<kPattern> p(text); p.Next();) ++pieces;
    return pieces;
  });
}

void Workloads(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"text", "bytes", "encoding"});
  for (int encoding : {0, 1}) {
    for (int kind : {0, 1, 2}) {
      for (int bytes : {64, 1024, 16384}) bench->Args({kind, bytes, encoding});
    }
  }
}
BENCHMARK(BM_Count_weir)->Apply(Workloads)->Args({3, 1000000, 0})->Args({3, 1000000, 1});
// Whether threads, which share the caches of pieces, get in each other's way.
BENCHMARK(BM_Count_weir)->Args({1, 16384, 1})->ThreadRange(1, 2);
// A megabyte of one letter takes the neighbour minutes; 16 KiB shows it.
BENCHMARK(BM_Count_hash_map)->Apply(Workloads)->Args({3, 16384, 0})->Args({3, 16384, 1});
BENCHMARK(BM_Pathological_weir)
    ->ArgNames({"text", "encoding", "MB"})
    ->ArgsProduct({benchmark::CreateDenseRange(0, 26, 1), {0, 1}, {1, 16}});
// One that the number of bytes refuses, and one that has to be counted.
BENCHMARK(BM_CountUpTo_weir)->ArgName("bytes")->Arg(10 << 20)->Arg(100 << 10);
BENCHMARK(BM_Counter_weir);
BENCHMARK(BM_Encode_weir)
    ->ArgNames({"text", "bytes", "encoding"})
    ->Args({1, 16384, 0})
    ->Args({1, 16384, 1});
BENCHMARK(BM_Pretokenize_weir<Pattern::kCl100k>)->Args({0, 16384, 0})->Args({2, 16384, 0});
BENCHMARK(BM_Pretokenize_weir<Pattern::kO200k>)->Args({0, 16384, 1})->Args({2, 16384, 1});

}  // namespace
}  // namespace weir::tokens
