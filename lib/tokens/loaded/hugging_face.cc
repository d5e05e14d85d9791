// LoadHuggingFace: a tokenizer.json as a Tokenizer.

#include <algorithm>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "tokens/loaded/load_model.h"
#include "tokens/loaded/load_stages.h"
#include "tokens/loaded/loaded_tokenizer.h"
#include "weir/tokenizer_files.h"

namespace weir::tokens {
namespace {

constexpr size_t kMaxFileBytes = size_t{64} << 20;
constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581, which stands for a space

class HuggingFaceLoader {
 public:
  HuggingFaceLoader(std::string_view name, json::Value root) : root_(root, "", &errors_) {
    parts_.name = name;
  }

  absl::StatusOr<std::unique_ptr<Tokenizer>> Load() {
    const std::string_view version = errors_.ok() ? root_.Text("version") : "";
    if (!version.empty() && version != "1.0") errors_.Unsupported("version", "is not 1.0");
    if (errors_.ok()) LoadStages();
    if (errors_.ok()) model_ = LoadModel(root_.Get("model"), by_bytes_, &errors_);
    if (errors_.ok()) LoadAddedTokens();
    if (!errors_.ok()) return errors_.status();
    CollectBytes();
    parts_.model = std::move(model_.model);
    return std::make_unique<LoadedTokenizer>(std::move(parts_));
  }

 private:
  struct Added {
    std::string_view text;
    AddedToken token;
    uint64_t stated_id = 0;
    bool normalized = false;
  };

  void LoadStages() {
    const std::vector<Stage> normalizers =
        Flatten(root_.Get("normalizer"), "normalizer", "normalizers", &errors_);
    const std::vector<Stage> pre_tokenizers =
        Flatten(root_.Get("pre_tokenizer"), "pre_tokenizer", "pretokenizers", &errors_);
    if (!errors_.ok()) return;
    parts_.normalizers = LoadNormalizers(normalizers, &errors_);
    // Text becomes bytes at the very end: then the model can take the bytes themselves.
    by_bytes_ = !pre_tokenizers.empty() && IsByteLevel(pre_tokenizers.back()) &&
                ModelType(root_.Get("model")) == "BPE";
    parts_.pre_tokenizers = LoadPreTokenizers(pre_tokenizers, !by_bytes_, &errors_);
  }

  void LoadAddedTokens() {
    const json::Value list = root_.Get("added_tokens");
    if (!list || list.type() == json::Type::kNull) return;
    if (list.type() != json::Type::kArray) return errors_.Invalid("added_tokens", "is no array");
    std::vector<Added> tokens;
    tokens.reserve(list.size());
    for (const json::Value item : list.members()) {
      const Fields fields(item, ItemPath("added_tokens", tokens.size()), &errors_);
      if (!errors_.ok()) return;
      tokens.push_back(ReadAdded(fields));
      if (!errors_.ok()) return;
    }
    CheckStatedIds(tokens);
    auto next = static_cast<uint32_t>(model_.vocabulary.size());
    std::set<std::string_view> seen;
    for (size_t i = 0; i < tokens.size() && errors_.ok(); ++i) {
      Added& added = tokens[i];
      if (!seen.insert(added.text).second) {
        return errors_.Invalid(ItemPath("added_tokens", i), "is there twice");
      }
      // The format's own library numbers them itself, as here.
      added.token.id = model_.vocabulary.Find(added.text);
      if (added.token.id == kNoToken) added.token.id = next++;
      Register(added, ItemPath("added_tokens", i));
    }
  }

  Added ReadAdded(const Fields& fields) {
    fields.AllowOnly({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    Added added;
    added.text = fields.RequiredText("content");
    if (added.text.empty()) errors_.Invalid(fields.PathOf("content"), "is empty");
    added.stated_id = fields.Uint("id", kNoToken);
    if (added.stated_id > kMaxTokenId) errors_.Invalid(fields.PathOf("id"), "is out of range");
    added.normalized = fields.RequiredBool("normalized");
    added.token.special = fields.RequiredBool("special");
    added.token.single_word = fields.RequiredBool("single_word");
    added.token.strip_left = fields.RequiredBool("lstrip");
    added.token.strip_right = fields.RequiredBool("rstrip");
    return added;
  }

  // Two tokens must not state one id, nor a token that of another token of the model.
  void CheckStatedIds(const std::vector<Added>& tokens) {
    std::vector<std::pair<uint64_t, std::string_view>> stated;
    stated.reserve(model_.vocabulary.size() + tokens.size());
    for (size_t i = 0; i < model_.vocabulary.size(); ++i) {
      stated.emplace_back(model_.vocabulary.IdAt(i), model_.vocabulary.TextAt(i));
    }
    for (const Added& added : tokens) stated.emplace_back(added.stated_id, added.text);
    std::sort(stated.begin(), stated.end());
    for (size_t i = 1; i < stated.size(); ++i) {
      if (stated[i].first != stated[i - 1].first || stated[i].second == stated[i - 1].second) {
        continue;
      }
      return errors_.Invalid("added_tokens", Concat({"has an id that another token has: ",
                                                     std::to_string(stated[i].first)}));
    }
  }

  void Register(const Added& added, const std::string& path) {
    AddedTokens* const table = added.normalized ? &parts_.normalized_tokens : &parts_.raw_tokens;
    TextInWork work;
    work.text = added.text;
    if (added.normalized) {
      for (const auto& normalizer : parts_.normalizers) {
        if (!work.text.empty()) normalizer->Apply(&work);
      }
    }
    if (!table->Add(work.text, added.token)) {
      errors_.Invalid(path, "is empty when normalized, longer than 256 bytes, or like another");
    }
    if (added.token.special) {
      parts_.specials.emplace_back(added.text, added.token.id);
    } else {
      added_.emplace_back(added.token.id, added.text);
    }
  }

  // The bytes of the tokens: an added token's are its text, a special one has none.
  void CollectBytes() {
    const TokenTable& vocabulary = model_.vocabulary;
    std::string bytes;
    for (size_t i = 0; i < vocabulary.size(); ++i) {
      bytes.clear();
      const std::string_view text = vocabulary.TextAt(i);
      if (!by_bytes_ || !AppendCharactersAsBytes(&bytes, text)) {
        bytes.clear();
        AppendWithSpaces(text, &bytes);
      }
      parts_.bytes.Add(vocabulary.IdAt(i), bytes);
    }
    for (const auto& [id, byte] : model_.byte_tokens) {
      const char text[] = {static_cast<char>(byte)};
      parts_.bytes.Add(id, {text, 1});
    }
    for (const auto& [id, text] : added_) parts_.bytes.Add(id, text);
    for (const auto& special : parts_.specials) parts_.bytes.Add(special.second, "");
    parts_.bytes.Freeze();
  }

  static void AppendWithSpaces(std::string_view text, std::string* out) {
    for (size_t at = 0; at < text.size();) {
      const size_t space = text.find(kMetaspace, at);
      out->append(text.substr(at, space - at));
      if (space == std::string_view::npos) return;
      out->push_back(' ');
      at = space + kMetaspace.size();
    }
  }

  LoadErrors errors_;
  Fields root_;
  bool by_bytes_ = false;
  LoadedModel model_;
  std::vector<std::pair<uint32_t, std::string_view>> added_;
  TokenizerParts parts_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadHuggingFace(std::string_view name,
                                                           std::string_view tokenizer_json) {
  if (tokenizer_json.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError("tokenizer.json is larger than 64 MiB");
  }
  json::Document document;
  json::ParseError error;
  if (!document.Parse(tokenizer_json, {}, &error)) {
    const json::LineColumn place = json::Locate(tokenizer_json, error.offset);
    return absl::InvalidArgumentError(
        Concat({"tokenizer.json: line ", std::to_string(place.line), ", column ",
                std::to_string(place.column), ": ", error.message}));
  }
  return HuggingFaceLoader(name, document.root()).Load();
}

}  // namespace weir::tokens
