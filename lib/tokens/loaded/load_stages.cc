#include "tokens/loaded/load_stages.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/text.h"

namespace weir::tokens {
namespace {

constexpr size_t kMaxStages = 32;
constexpr size_t kMaxLiteralBytes = 256;
constexpr size_t kMaxGrowth = 16384;

std::string_view TypeOf(const Stage& stage) { return stage.value["type"].text(); }

constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::unique_ptr<Pattern> CompilePattern(std::string_view source, RegexFlavour flavour,
                                        std::string_view path, LoadErrors* errors) {
  absl::StatusOr<Pattern> pattern = Pattern::Compile(source, flavour);
  if (!pattern.ok()) {
    errors->Take(path, pattern.status());
    return nullptr;
  }
  return std::make_unique<Pattern>(*std::move(pattern));
}

// {"String": "…"} or {"Regex": "…"}.
SearchFor LoadSearch(const Fields& stage) {
  SearchFor search;
  const Fields pattern(stage.Get("pattern"), stage.PathOf("pattern"), stage.errors());
  pattern.AllowOnly({"String", "Regex"});
  if (pattern.Get("Regex")) {
    search.pattern = CompilePattern(pattern.RequiredText("Regex"), RegexFlavour::kOniguruma,
                                    pattern.path(), stage.errors());
    return search;
  }
  search.literal = pattern.RequiredText("String");
  if (search.literal.empty() || search.literal.size() > kMaxLiteralBytes) {
    stage.errors()->Invalid(pattern.path(), "is empty, or longer than 256 bytes");
  }
  return search;
}

SplitBehavior LoadBehavior(const Fields& stage, std::string_view text) {
  constexpr std::pair<std::string_view, SplitBehavior> kNames[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous},
  };
  for (const auto& [name, behavior] : kNames) {
    if (name == text) return behavior;
  }
  stage.errors()->Invalid(stage.PathOf("behavior"), "is none that there is");
  return SplitBehavior::kIsolated;
}

CharSet SetOfCategories(CategorySet categories) {
  CharSet set;
  set.Add(categories);
  set.Freeze();
  return set;
}

// Punctuation as Unicode 8.0 knew it, two that have changed their category since, and the symbols
// that ASCII calls punctuation.
CharSet PunctuationSet() {
  const Categories& categories = Categories::Get();
  CharSet set;
  for (char32_t c = 0x80; c < 0x20000; ++c) {
    if (categories.InUnicode8(c) && categories.In(kAnyPunctuation, c)) set.Add(c, c);
  }
  set.Add(0x166D, 0x166D);
  set.Add(0x111C9, 0x111C9);
  set.Add('!', '/');
  set.Add(':', '@');
  set.Add('[', '`');
  set.Add('{', '~');
  set.Freeze();
  return set;
}

class NormalizerLoader {
 public:
  explicit NormalizerLoader(LoadErrors* errors) : errors_(errors) {}

  void Load(const Stage& stage) {
    const Fields fields(stage.value, stage.path, errors_);
    const std::string_view type = fields.RequiredText("type");
    if (!errors_->ok()) return;
    if (LoadPlain(type)) {
      fields.AllowOnly({"type"});
    } else if (type == "Strip") {
      fields.AllowOnly({"type", "strip_left", "strip_right"});
      Add(std::make_unique<StripNormalizer>(fields.RequiredBool("strip_left"),
                                            fields.RequiredBool("strip_right")));
    } else if (type == "Prepend") {
      fields.AllowOnly({"type", "prepend"});
      Add(std::make_unique<PrependNormalizer>(Limited(fields, "prepend")));
    } else if (type == "Replace") {
      fields.AllowOnly({"type", "pattern", "content"});
      SearchFor what = LoadSearch(fields);
      Add(std::make_unique<ReplaceNormalizer>(std::move(what), Limited(fields, "content")));
    } else if (type == "Precompiled") {
      fields.AllowOnly({"type", "precompiled_charsmap"});
      LoadPrecompiled(fields);
    } else if (type == "BertNormalizer") {
      fields.AllowOnly(
          {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
      LoadBert(fields);
    } else {
      errors_->Unsupported(fields.PathOf("type"), Concat({"'", type, "' is not supported"}));
    }
  }

  std::vector<std::unique_ptr<Normalizer>> Finish() {
    size_t growth = 1;
    for (const auto& each : made_) growth = std::min(growth * each->growth(), kMaxGrowth + 1);
    if (growth > kMaxGrowth) errors_->Unsupported("normalizer", "makes a text far too long");
    if (needs_utf8proc_ && !kHasUtf8proc) {
      errors_->Unsupported("normalizer", "needs utf8proc, without which weir was built");
    }
    return std::move(made_);
  }

 private:
  void Add(std::unique_ptr<Normalizer> normalizer) { made_.push_back(std::move(normalizer)); }

  // Those without fields.
  bool LoadPlain(std::string_view type) {
    if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
      needs_utf8proc_ = true;
      Add(std::make_unique<NormalFormNormalizer>(NormalForm{type.size() == 4, type.back() == 'C'}));
    } else if (type == "Lowercase") {
      needs_utf8proc_ = true;
      Add(std::make_unique<LowercaseNormalizer>());
    } else if (type == "StripAccents") {
      Add(std::make_unique<CharacterNormalizer>(CharacterRule::kStripAccents));
    } else if (type == "Nmt") {
      Add(std::make_unique<CharacterNormalizer>(CharacterRule::kNmt));
    } else if (type == "ByteLevel") {
      Add(std::make_unique<CharacterNormalizer>(CharacterRule::kByteLevel));
    } else {
      return false;
    }
    return true;
  }

  std::string_view Limited(const Fields& fields, std::string_view key) {
    const std::string_view text = fields.RequiredText(key);
    if (text.size() > kMaxLiteralBytes) {
      errors_->Invalid(fields.PathOf(key), "is longer than 256 bytes");
    }
    return text;
  }

  void LoadPrecompiled(const Fields& fields) {
    needs_utf8proc_ = true;
    const std::string_view text = fields.Text("precompiled_charsmap");
    if (text.empty()) return;  // changes nothing
    std::string bytes;
    if (!absl::Base64Unescape(AbslView(text), &bytes)) {
      return errors_->Invalid(fields.PathOf("precompiled_charsmap"), "is not base64");
    }
    CharsMap map;
    errors_->Take(fields.path(), map.Load(bytes));
    if (errors_->ok()) Add(std::make_unique<PrecompiledNormalizer>(std::move(map)));
  }

  void LoadBert(const Fields& fields) {
    needs_utf8proc_ = true;
    const bool lowercase = fields.RequiredBool("lowercase");
    if (fields.RequiredBool("clean_text")) {
      Add(std::make_unique<CharacterNormalizer>(CharacterRule::kBertClean));
    }
    if (fields.RequiredBool("handle_chinese_chars")) {
      Add(std::make_unique<CharacterNormalizer>(CharacterRule::kBertChinese));
    }
    if (fields.Bool("strip_accents", lowercase)) {
      Add(std::make_unique<NormalFormNormalizer>(NormalForm{false, false}));
      Add(std::make_unique<CharacterNormalizer>(CharacterRule::kBertAccents));
    }
    if (lowercase) Add(std::make_unique<LowercaseNormalizer>());
  }

  LoadErrors* errors_;
  bool needs_utf8proc_ = false;
  std::vector<std::unique_ptr<Normalizer>> made_;
};

class PreTokenizerLoader {
 public:
  explicit PreTokenizerLoader(LoadErrors* errors) : errors_(errors) {}

  // `maps`: of a byte-level step, whether bytes become characters.
  void Load(const Stage& stage, bool maps) {
    const Fields fields(stage.value, stage.path, errors_);
    const std::string_view type = fields.RequiredText("type");
    if (!errors_->ok()) return;
    if (LoadPlain(type, fields)) return;
    if (type == "ByteLevel") {
      fields.AllowOnly({"type", "add_prefix_space", "trim_offsets", "use_regex"});
      std::unique_ptr<Pattern> pattern;
      if (fields.Bool("use_regex", true)) {
        pattern = CompilePattern(kGpt2Pattern, RegexFlavour::kOniguruma, stage.path, errors_);
      }
      Add(std::make_unique<ByteLevelPreTokenizer>(fields.RequiredBool("add_prefix_space"),
                                                  std::move(pattern), maps));
    } else if (type == "Split") {
      fields.AllowOnly({"type", "pattern", "behavior", "invert"});
      SearchFor what = LoadSearch(fields);
      const SplitBehavior behavior = LoadBehavior(fields, fields.RequiredText("behavior"));
      Add(std::make_unique<SplitPreTokenizer>(std::move(what), behavior,
                                              fields.RequiredBool("invert")));
    } else if (type == "Metaspace") {
      LoadMetaspace(fields);
    } else if (type == "Digits") {
      fields.AllowOnly({"type", "individual_digits"});
      Add(std::make_unique<CharacterPreTokenizer>(SetOfCategories(kAnyNumber),
                                                  fields.RequiredBool("individual_digits")
                                                      ? SplitBehavior::kIsolated
                                                      : SplitBehavior::kContiguous));
    } else if (type == "Punctuation") {
      fields.AllowOnly({"type", "behavior"});
      const std::string_view behavior = fields.Text("behavior");
      Add(std::make_unique<CharacterPreTokenizer>(
          PunctuationSet(), LoadBehavior(fields, behavior.empty() ? "Isolated" : behavior)));
    } else {
      errors_->Unsupported(fields.PathOf("type"), Concat({"'", type, "' is not supported"}));
    }
  }

  std::vector<std::unique_ptr<PreTokenizer>> Finish() { return std::move(made_); }

 private:
  void Add(std::unique_ptr<PreTokenizer> made) { made_.push_back(std::move(made)); }

  // Those without fields.
  bool LoadPlain(std::string_view type, const Fields& fields) {
    if (type == "Whitespace") {
      SearchFor words;
      words.pattern =
          CompilePattern(R"(\w+|[^\w\s]+)", RegexFlavour::kTiktoken, fields.path(), errors_);
      Add(std::make_unique<SplitPreTokenizer>(std::move(words), SplitBehavior::kRemoved, true));
    } else if (type == "WhitespaceSplit" || type == "BertPreTokenizer") {
      Add(std::make_unique<CharacterPreTokenizer>(SetOfCategories(kWhiteSpace),
                                                  SplitBehavior::kRemoved));
      if (type == "BertPreTokenizer") {
        Add(std::make_unique<CharacterPreTokenizer>(PunctuationSet(), SplitBehavior::kIsolated));
      }
    } else {
      return false;
    }
    fields.AllowOnly({"type"});
    return true;
  }

  void LoadMetaspace(const Fields& fields) {
    fields.AllowOnly(
        {"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"});
    const std::string_view replacement = fields.RequiredText("replacement");
    const bool one = !replacement.empty() &&
                     DecodeAt(replacement.data(), replacement.data() + replacement.size()).bytes ==
                         replacement.size();
    if (!one) errors_->Invalid(fields.PathOf("replacement"), "is not one character");
    const std::string_view name = fields.Text("prepend_scheme");
    PrependScheme scheme = PrependScheme::kAlways;
    if (name == "never") {
      scheme = PrependScheme::kNever;
    } else if (name == "first") {
      scheme = PrependScheme::kFirst;
    } else if (!name.empty() && name != "always") {
      errors_->Invalid(fields.PathOf("prepend_scheme"), "is none that there is");
    }
    // Files from before there were schemes, which are taken at their word if they have both.
    if (!fields.Bool("add_prefix_space", true) && scheme != PrependScheme::kNever) {
      if (!name.empty()) {
        errors_->Invalid(fields.PathOf("add_prefix_space"), "contradicts prepend_scheme");
      }
      scheme = PrependScheme::kNever;
    }
    Add(std::make_unique<MetaspacePreTokenizer>(replacement, scheme, fields.Bool("split", true)));
  }

  LoadErrors* errors_;
  std::vector<std::unique_ptr<PreTokenizer>> made_;
};

}  // namespace

std::vector<Stage> Flatten(json::Value value, std::string_view path, std::string_view list,
                           LoadErrors* errors) {
  std::vector<Stage> flat, open;
  if (!value || value.type() == json::Type::kNull) return flat;
  open.push_back({value, std::string(path)});
  while (!open.empty()) {
    Stage stage = std::move(open.back());
    open.pop_back();
    const Fields fields(stage.value, stage.path, errors);
    if (!errors->ok()) return {};
    if (TypeOf(stage) != "Sequence") {
      flat.push_back(std::move(stage));
      if (flat.size() <= kMaxStages) continue;
      errors->Unsupported(path, "has more than 32 steps");
      return {};
    }
    fields.AllowOnly({"type", list});
    const json::Value items = fields.RequiredArray(list);
    const size_t first = open.size();
    size_t index = 0;
    for (const json::Value item : items.members()) {
      open.push_back({item, ItemPath(fields.PathOf(list), index++)});
    }
    std::reverse(open.begin() + static_cast<std::ptrdiff_t>(first), open.end());
  }
  return flat;
}

bool IsByteLevel(const Stage& stage) { return TypeOf(stage) == "ByteLevel"; }

std::vector<std::unique_ptr<Normalizer>> LoadNormalizers(const std::vector<Stage>& stages,
                                                         LoadErrors* errors) {
  NormalizerLoader loader(errors);
  for (const Stage& stage : stages) {
    if (errors->ok()) loader.Load(stage);
  }
  return loader.Finish();
}

std::vector<std::unique_ptr<PreTokenizer>> LoadPreTokenizers(const std::vector<Stage>& stages,
                                                             bool last_maps, LoadErrors* errors) {
  PreTokenizerLoader loader(errors);
  for (size_t i = 0; i < stages.size(); ++i) {
    if (errors->ok()) loader.Load(stages[i], last_maps || i + 1 < stages.size());
  }
  return loader.Finish();
}

}  // namespace weir::tokens
