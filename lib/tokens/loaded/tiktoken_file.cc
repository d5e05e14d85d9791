// LoadTiktoken: a rank file ("base64 rank" on each line) as a Tokenizer.

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/hash.h"
#include "base/text.h"
#include "tokens/loaded/bpe_model.h"
#include "tokens/loaded/load_model.h"
#include "tokens/loaded/loaded_tokenizer.h"
#include "tokens/loaded/tiktoken_file.h"
#include "weir/tokenizer_files.h"

namespace weir::tokens {
namespace {

constexpr size_t kMaxFileBytes = size_t{64} << 20;
constexpr size_t kMaxTokenBytes = 256;  // the longest of the published files has 128

constexpr std::string_view kR50kPattern =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)";
constexpr std::string_view kCl100kPattern =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+)"
    R"(|\s++$|\s*[\r\n]|\s+(?!\S)|\s)";
constexpr std::string_view kO200kPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct KnownPattern {
  std::string_view name, pattern;
};
constexpr KnownPattern kPatterns[] = {
    {"gpt2", kR50kPattern},           {"r50k_base", kR50kPattern},
    {"p50k_base", kR50kPattern},      {"p50k_edit", kR50kPattern},
    {"cl100k_base", kCl100kPattern},  {"o200k_base", kO200kPattern},
    {"o200k_harmony", kO200kPattern},
};

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::string_view PatternText(std::string_view pattern) {
  for (const KnownPattern& known : kPatterns) {
    if (known.name == pattern) return known.pattern;
  }
  return pattern;
}

absl::Status Invalid(size_t line, std::string_view what) {
  return absl::InvalidArgumentError(Concat({"rank file: line ", std::to_string(line), " ", what}));
}

// Takes "base64 rank" off the front of `file`; false at its end.
bool NextLine(std::string_view* file, std::string_view* line) {
  while (!file->empty()) {
    const size_t end = file->find('\n');
    *line = file->substr(0, end);
    file->remove_prefix(end == std::string_view::npos ? file->size() : end + 1);
    if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
    if (!line->empty()) return true;
  }
  return false;
}

absl::Status ReadRanks(std::string_view file, TokenTable* tokens) {
  std::vector<bool> used;
  std::string bytes;
  size_t number = 0;
  for (std::string_view line; NextLine(&file, &line);) {
    ++number;
    const size_t space = line.find(' ');
    uint64_t rank = 0;
    if (space == std::string_view::npos || !ParseUint64(line.substr(space + 1), &rank) ||
        !absl::Base64Unescape(AbslView(line.substr(0, space)), &bytes)) {
      return Invalid(number, "is not a token in base64 and its rank");
    }
    if (rank > kMaxTokenId) return Invalid(number, "has a rank that is out of range");
    if (bytes.empty() || bytes.size() > kMaxTokenBytes) {
      return Invalid(number, "has a token of no bytes, or of more than 256");
    }
    if (rank >= used.size()) used.resize(rank + 1);
    if (used[rank] || !tokens->Add(bytes, static_cast<uint32_t>(rank))) {
      return Invalid(number, "has a token or a rank for the second time");
    }
    used[rank] = true;
  }
  for (int byte = 0; byte < 256; ++byte) {
    const char text[] = {static_cast<char>(byte)};
    if (tokens->Find({text, 1}) != kNoToken) continue;
    return absl::InvalidArgumentError(
        Concat({"rank file: there is no rank for the byte ", std::to_string(byte)}));
  }
  return absl::OkStatus();
}

// Tiktoken merges the neighbours that together have the lowest rank, so each way to cut a token in
// two tokens is a merge of that rank.
void AddMerges(const TokenTable& tokens, Merges* merges) {
  merges->Reserve(tokens.size() * 2);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view text = tokens.TextAt(i);
    const uint32_t id = tokens.IdAt(i);
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const uint32_t left = tokens.Find(text.substr(0, cut));
      if (left == kNoToken) continue;
      const uint32_t right = tokens.Find(text.substr(cut));
      if (right != kNoToken) merges->Add(left, right, {id, id});
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTiktoken(std::string_view name,
                                                        std::string_view rank_file_bytes,
                                                        std::string_view pattern) {
  if (rank_file_bytes.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError("rank file: it is larger than 64 MiB");
  }
  if (pattern.empty()) return absl::InvalidArgumentError("rank file: no pattern was given");
  if (const std::string_view text = PatternText(pattern);
      std::all_of(text.begin(), text.end(), IsNameCharacter)) {
    return absl::InvalidArgumentError(Concat({"rank file: no pattern is called ", pattern}));
  }
  absl::StatusOr<Pattern> compiled =
      Pattern::Compile(PatternText(pattern), RegexFlavour::kTiktoken);
  if (!compiled.ok()) return compiled.status();
  BpeParts model;
  if (absl::Status status = ReadRanks(rank_file_bytes, &model.tokens); !status.ok()) return status;
  AddMerges(model.tokens, &model.merges);
  model.by_bytes = true;
  model.ignore_merges = true;
  TokenizerParts parts;
  parts.name = name;
  for (size_t i = 0; i < model.tokens.size(); ++i) {
    parts.bytes.Add(model.tokens.IdAt(i), model.tokens.TextAt(i));
  }
  parts.bytes.Freeze();
  SearchFor what;
  what.pattern = std::make_unique<Pattern>(*std::move(compiled));
  parts.pre_tokenizers.push_back(
      std::make_unique<SplitPreTokenizer>(std::move(what), SplitBehavior::kIsolated, false));
  parts.model = std::make_unique<BpeModel>(std::move(model));
  return std::make_unique<LoadedTokenizer>(std::move(parts));
}

bool LooksLikeRankFile(std::string_view bytes) {
  std::string_view line;
  if (!NextLine(&bytes, &line)) return false;
  const size_t space = line.find(' ');
  uint64_t rank = 0;
  std::string decoded;
  return space != std::string_view::npos && ParseUint64(line.substr(space + 1), &rank) &&
         absl::Base64Unescape(AbslView(line.substr(0, space)), &decoded) && !decoded.empty();
}

std::string_view PatternOfRankFile(std::string_view bytes) {
  struct Known {
    Hash128 fingerprint;
    std::string_view pattern;
  };
  constexpr Known kKnown[] = {
      {{0x2a908ae536181039, 0xf8672f9a783e9ea7}, "r50k_base"},
      {{0x3e4ddc6ad871d049, 0x8467418325a6c880}, "p50k_base"},
      {{0xe827744d9c6f741a, 0x57933c66977128d1}, "cl100k_base"},
      {{0x8c6920f94f7326b4, 0xd7a86b4719b91f23}, "o200k_base"},
  };
  const Hash128 fingerprint = SipHash(0, bytes);
  for (const Known& known : kKnown) {
    if (known.fingerprint == fingerprint) return known.pattern;
  }
  return {};
}

}  // namespace weir::tokens
