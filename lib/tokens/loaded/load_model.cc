#include "tokens/loaded/load_model.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "tokens/loaded/bpe_model.h"
#include "tokens/loaded/normalizers.h"
#include "tokens/loaded/unigram_model.h"
#include "tokens/loaded/word_models.h"

namespace weir::tokens {
namespace {

constexpr size_t kMaxTokenBytes = 4096;
// A trie walk is as long as the longest token, at each character of a text.
constexpr size_t kMaxTrieTokenBytes = 512;
constexpr size_t kMaxTrieBytes = size_t{1} << 24;

std::string Quoted(std::string_view text) {
  constexpr size_t kMaxShownBytes = 60;
  return Concat({"'", text.substr(0, Utf8Prefix(text, kMaxShownBytes)), "'"});
}

// The id that a JSON value is; nothing but an error otherwise.
uint32_t ReadId(json::Value value, std::string_view path, LoadErrors* errors) {
  const std::optional<uint64_t> id = value.Uint();
  if (!id || *id > kMaxTokenId) {
    errors->Invalid(Concat({path, ": ", Quoted(value.key())}), "has an id that is out of range");
    return 0;
  }
  return static_cast<uint32_t>(*id);
}

// The "vocab" of every model but Unigram: an object of ids.
void LoadVocabulary(const Fields& model, size_t max_bytes, TokenTable* vocabulary) {
  const json::Value object = model.Get("vocab");
  const std::string path = model.PathOf("vocab");
  if (!object.Is(json::Type::kObject)) return model.errors()->Invalid(path, "is not an object");
  vocabulary->Reserve(object.size());
  std::vector<bool> used;
  for (const json::Value member : object.members()) {
    const uint32_t id = ReadId(member, path, model.errors());
    const std::string_view text = member.key();
    if (text.size() > max_bytes) {
      model.errors()->Invalid(path, Concat({"has a token that is too long: ", Quoted(text)}));
    }
    if (id >= used.size()) used.resize(size_t{id} + 1);
    if (used[id] || !vocabulary->Add(text, id)) {
      model.errors()->Invalid(path, Concat({"gives two tokens the id of ", Quoted(text)}));
    }
    if (!model.errors()->ok()) return;
    used[id] = true;
  }
}

// The ids of "<0x00>" to "<0xFF>".
std::array<uint32_t, 256> FindByteTokens(LoadedModel* loaded) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::array<uint32_t, 256> ids = {};
  for (size_t byte = 0; byte < ids.size(); ++byte) {
    const char text[] = {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
    ids[byte] = loaded->vocabulary.Find({text, sizeof text});
    if (ids[byte] != kNoToken) {
      loaded->byte_tokens.emplace_back(ids[byte], static_cast<unsigned char>(byte));
    }
  }
  return ids;
}

class BpeLoader {
 public:
  BpeLoader(const Fields& fields, bool by_bytes, LoadedModel* loaded)
      : fields_(fields), errors_(fields.errors()), loaded_(loaded) {
    parts_.by_bytes = by_bytes;
  }

  void Load() {
    fields_.AllowOnly({"type", "dropout", "unk_token", "continuing_subword_prefix",
                       "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab",
                       "merges"});
    if (const json::Value dropout = fields_.Get("dropout");
        dropout && dropout.type() != json::Type::kNull) {
      double rate = 0;
      if (!ReadScore(dropout, &rate) || rate != 0) {
        errors_->Unsupported(fields_.PathOf("dropout"), "makes the count a matter of chance");
      }
    }
    parts_.ignore_merges = fields_.Bool("ignore_merges", false);
    parts_.fuse_unknown = fields_.Bool("fuse_unk", false);
    LoadVocabulary(fields_, kMaxTokenBytes, &loaded_->vocabulary);
    if (errors_->ok()) LoadMerges();
    if (errors_->ok()) LoadTexts();
    if (errors_->ok()) LoadUnknown();
    if (errors_->ok()) loaded_->model = std::make_unique<BpeModel>(std::move(parts_));
  }

 private:
  void LoadMerges() {
    const json::Value merges = fields_.RequiredArray("merges");
    if (!errors_->ok()) return;
    parts_.merges.Reserve(merges.size());
    const std::string path = fields_.PathOf("merges");
    const size_t prefix = fields_.Text("continuing_subword_prefix").size();
    std::string made;
    uint32_t rank = 0;
    size_t index = 0;
    for (const json::Value merge : merges.members()) {
      std::string_view left, right;
      bool header = false;
      if (!ReadPair(merge, &left, &right, &header)) {
        return errors_->Invalid(ItemPath(path, index), "is not a pair of tokens");
      }
      ++index;
      if (header) continue;
      const uint32_t left_id = loaded_->vocabulary.Find(left);
      const uint32_t right_id = loaded_->vocabulary.Find(right);
      made = left;
      if (right.size() >= prefix) made += right.substr(prefix);
      const uint32_t made_id = loaded_->vocabulary.Find(made);
      if (left_id == kNoToken || right_id == kNoToken || made_id == kNoToken ||
          right.size() < prefix) {
        return errors_->Invalid(
            ItemPath(path, index - 1),
            Concat({"has or makes what is no token: ", Quoted(left), " and ", Quoted(right)}));
      }
      parts_.merges.Add(left_id, right_id, {rank++, made_id});
    }
  }

  // "a b", or ["a", "b"]; a line that begins with #version is a header.
  static bool ReadPair(json::Value merge, std::string_view* left, std::string_view* right,
                       bool* header) {
    if (merge.type() == json::Type::kArray) {
      if (merge.size() != 2) return false;
      std::string_view* const sides[] = {left, right};
      size_t side = 0;
      for (const json::Value token : merge.members()) {
        if (token.type() != json::Type::kString) return false;
        *sides[side++] = token.text();
      }
      return true;
    }
    if (merge.type() != json::Type::kString) return false;
    const std::string_view text = merge.text();
    *header = text.substr(0, 8) == "#version";
    if (*header) return true;
    const size_t space = text.find(' ');
    if (space == std::string_view::npos) return false;
    *left = text.substr(0, space);
    *right = text.substr(space + 1);
    return right->find(' ') == std::string_view::npos;
  }

  // What pieces are looked up as: the tokens themselves, or the bytes that their characters stand
  // for. A token with a character that stands for no byte is then never met.
  void LoadTexts() {
    parts_.prefix = fields_.Text("continuing_subword_prefix");
    parts_.suffix = fields_.Text("end_of_word_suffix");
    const TokenTable& vocabulary = loaded_->vocabulary;
    if (!parts_.by_bytes) {
      parts_.tokens = vocabulary;
      return;
    }
    for (std::string* affix : {&parts_.prefix, &parts_.suffix}) {
      std::string bytes;
      if (!AppendCharactersAsBytes(&bytes, *affix)) {
        errors_->Unsupported(fields_.path(), "has an affix that is not bytes");
      }
      *affix = std::move(bytes);
    }
    parts_.tokens.Reserve(vocabulary.size());
    std::string bytes;
    for (size_t i = 0; i < vocabulary.size(); ++i) {
      bytes.clear();
      if (AppendCharactersAsBytes(&bytes, vocabulary.TextAt(i))) {
        parts_.tokens.Add(bytes, vocabulary.IdAt(i));
      }
    }
  }

  bool HasEveryByte() const {
    for (int byte = 0; byte < 256; ++byte) {
      const char text[] = {static_cast<char>(byte)};
      if (parts_.tokens.Find({text, 1}) == kNoToken) return false;
    }
    return true;
  }

  void LoadUnknown() {
    const bool fallback = fields_.Bool("byte_fallback", false);
    if (parts_.by_bytes && parts_.prefix.empty() && parts_.suffix.empty() && HasEveryByte()) {
      return;  // nothing is unknown
    }
    if (fallback && parts_.by_bytes) {
      return errors_->Unsupported(fields_.PathOf("byte_fallback"), "of a byte-level model");
    }
    parts_.byte_fallback = fallback;
    if (fallback) parts_.fallback = FindByteTokens(loaded_);
    const std::string_view unknown = fields_.Text("unk_token");
    if (!fields_.Get("unk_token").Is(json::Type::kString)) return;
    parts_.unknown = loaded_->vocabulary.Find(unknown);
    if (parts_.unknown == kNoToken) {
      errors_->Invalid(fields_.PathOf("unk_token"), "is not in model.vocab");
    }
  }

  const Fields& fields_;
  LoadErrors* errors_;
  LoadedModel* loaded_;
  BpeParts parts_;
};

void LoadUnigram(const Fields& fields, LoadedModel* loaded) {
  LoadErrors* const errors = fields.errors();
  fields.AllowOnly({"type", "unk_id", "vocab", "byte_fallback"});
  const json::Value vocab = fields.RequiredArray("vocab");
  if (!errors->ok()) return;
  UnigramParts parts;
  parts.scores.reserve(vocab.size());
  loaded->vocabulary.Reserve(vocab.size());
  size_t bytes = 0;
  for (const json::Value item : vocab.members()) {
    const size_t index = parts.scores.size();
    const std::string path = ItemPath(fields.PathOf("vocab"), index);
    if (item.type() != json::Type::kArray || item.size() != 2) {
      return errors->Invalid(path, "is not a token and a score");
    }
    const auto values = item.members();
    json::Value::Iterator at = values.begin();
    const json::Value text = *at;
    ++at;
    double score = 0;
    if (text.type() != json::Type::kString || !ReadScore(*at, &score)) {
      return errors->Invalid(path, "is not a token and a finite score");
    }
    bytes += text.text().size();
    if (index > kMaxTokenId || bytes > kMaxTrieBytes || text.text().size() > kMaxTrieTokenBytes) {
      return errors->Invalid(path, "is too long, or one too many");
    }
    parts.scores.push_back(score);
    if (!loaded->vocabulary.Add(text.text(), static_cast<uint32_t>(index))) {
      return errors->Invalid(path, "is there twice");
    }
  }
  const uint64_t unknown = fields.Uint("unk_id", vocab.size());
  if (unknown >= vocab.size()) {
    return errors->Invalid(fields.PathOf("unk_id"), "is not the index of a token");
  }
  parts.unknown = static_cast<uint32_t>(unknown);
  parts.byte_fallback = fields.Bool("byte_fallback", false);
  if (parts.byte_fallback) parts.fallback = FindByteTokens(loaded);
  parts.tokens = loaded->vocabulary;
  if (errors->ok()) loaded->model = std::make_unique<UnigramModel>(std::move(parts));
}

uint32_t LoadUnknownWord(const Fields& fields, const TokenTable& vocabulary) {
  const uint32_t unknown = vocabulary.Find(fields.RequiredText("unk_token"));
  if (unknown == kNoToken) {
    fields.errors()->Invalid(fields.PathOf("unk_token"), "is not in model.vocab");
  }
  return unknown;
}

void LoadWordPiece(const Fields& fields, LoadedModel* loaded) {
  fields.AllowOnly(
      {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"});
  LoadVocabulary(fields, kMaxTrieTokenBytes, &loaded->vocabulary);
  if (!fields.errors()->ok()) return;
  size_t bytes = 0;
  for (size_t i = 0; i < loaded->vocabulary.size(); ++i) {
    bytes += loaded->vocabulary.TextAt(i).size();
  }
  if (bytes > kMaxTrieBytes) {
    return fields.errors()->Invalid(fields.PathOf("vocab"), "has more than 16 MiB of tokens");
  }
  const uint32_t unknown = LoadUnknownWord(fields, loaded->vocabulary);
  const std::string_view prefix = fields.RequiredText("continuing_subword_prefix");
  const uint64_t max_characters = fields.Uint("max_input_chars_per_word", 100);
  if (!fields.errors()->ok()) return;
  loaded->model =
      std::make_unique<WordPieceModel>(loaded->vocabulary, unknown, prefix, max_characters);
}

void LoadWordLevel(const Fields& fields, LoadedModel* loaded) {
  fields.AllowOnly({"type", "unk_token", "vocab"});
  LoadVocabulary(fields, kMaxTokenBytes, &loaded->vocabulary);
  if (!fields.errors()->ok()) return;
  const uint32_t unknown = LoadUnknownWord(fields, loaded->vocabulary);
  loaded->model = std::make_unique<WordLevelModel>(loaded->vocabulary, unknown);
}

}  // namespace

std::string_view ModelType(json::Value model) {
  if (const json::Value type = model["type"]; type.Is(json::Type::kString)) return type.text();
  if (model["merges"]) return "BPE";
  if (model["vocab"].Is(json::Type::kArray)) return "Unigram";
  return model["max_input_chars_per_word"] ? "WordPiece" : "WordLevel";
}

LoadedModel LoadModel(json::Value model, bool by_bytes, LoadErrors* errors) {
  LoadedModel loaded;
  const Fields fields(model, "model", errors);
  if (!errors->ok()) return loaded;
  const std::string_view type = ModelType(model);
  if (type == "BPE") {
    BpeLoader(fields, by_bytes, &loaded).Load();
  } else if (type == "Unigram") {
    LoadUnigram(fields, &loaded);
  } else if (type == "WordPiece") {
    LoadWordPiece(fields, &loaded);
  } else if (type == "WordLevel") {
    LoadWordLevel(fields, &loaded);
  } else {
    errors->Unsupported("model.type", Concat({Quoted(type), " is not supported"}));
  }
  return loaded;
}

}  // namespace weir::tokens
