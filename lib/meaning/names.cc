// Names: capitalised words inside sentences, identifiers, links, and words known to be names also
// in lower case.

#include <array>

#include "meaning/common_words.h"
#include "meaning/facts.h"
#include "meaning/letters.h"
#include "meaning/packed.h"
#include "meaning/word_table.h"

namespace weir::meaning {
namespace {

// Sides are names; the words of a side are its spellings.
constexpr std::string_view kNames =
    // programming, data, systems
    "python py|java|javascript js|typescript ts|golang|rust|ruby|php|kotlin|swift|scala|perl|"
    "haskell|c++ cpp|c# csharp|matlab|julia|elixir|fortran|cobol|bash|powershell|zsh|sql|html|css|"
    "sass|react reactjs|angular angularjs|vue vuejs|svelte|django|flask|fastapi|rails|laravel|"
    "spring|node nodejs|deno|express|numpy|pandas|pytorch|tensorflow|keras|jax|scipy|sklearn|"
    "docker|podman|kubernetes k8s|helm|terraform|ansible|jenkins|github|gitlab|bitbucket|git|svn|"
    "npm|yarn|pnpm|pip|conda|maven|gradle|cmake|bazel|make|nginx|apache|caddy|envoy|haproxy|"
    "postgres postgresql|mysql|mariadb|sqlite|mongodb mongo|redis|cassandra|dynamodb|snowflake|"
    "bigquery|elasticsearch|kafka|rabbitmq|spark|hadoop|linux|ubuntu|debian|fedora|centos|"
    "windows|macos|ios|android|chrome|firefox|safari|edge|opera|vim|emacs|vscode|intellij|excel|"
    "word|powerpoint|outlook|gmail|slack|teams|zoom|notion|jira|trello|figma|photoshop|"
    "aws|azure|gcp|heroku|vercel|netlify|cloudflare|json|xml|yaml yml|csv|toml|parquet|avro|"
    "protobuf|pdf|docx|png|jpeg jpg|gif|svg|webp|mp3|mp4|wav|tcp|udp|http|https|ftp|sftp|ssh|smtp|"
    "imap|grpc|graphql|rest|websocket|oauth|saml|jwt|ldap|ipv4|ipv6|wifi|bluetooth|usb|hdmi|"
    "markdown|latex|unicode|ascii|base64|sha256|md5|rsa|aes|"
    // companies and services
    "google|apple|microsoft|amazon|facebook meta|twitter|instagram|whatsapp|telegram|tiktok|"
    "youtube|netflix|spotify|tesla|ford|toyota|honda|bmw|audi|mercedes|volkswagen vw|porsche|"
    "samsung|huawei|sony|nintendo|xbox|playstation|nvidia|intel|amd|ibm|oracle|sap|salesforce|"
    "shopify|stripe|paypal|visa|mastercard|uber|lyft|airbnb|ebay|walmart|ikea|starbucks|"
    "mcdonalds|pepsi|nike|adidas|openai|anthropic|mistral|claude|chatgpt|gemini|llama|bitcoin btc|"
    "ethereum eth|dogecoin|nasdaq|iphone|ipad|macbook|pixel|galaxy|alexa|siri|"
    // countries, languages, cities
    "usa us america american|uk britain british|england|scotland|ireland irish|"
    "germany german deutschland deutsch deutsche|france french frankreich francais|"
    "spain spanish spanien espanol espana|italy italian italien|portugal portuguese|"
    "netherlands dutch holland|belgium belgian|austria austrian osterreich|"
    "switzerland swiss schweiz suisse|poland polish polen|sweden swedish|norway norwegian|"
    "denmark danish|finland finnish|russia russian|ukraine ukrainian|turkey turkish|greece greek|"
    "china chinese|japan japanese|korea korean|india indian|hindi|pakistan|indonesia|vietnam "
    "vietnamese|thailand thai|australia australian|canada canadian|mexico mexican|brazil "
    "brazilian|argentina|chile|peru|colombia|egypt|morocco|nigeria|kenya|israel|iran|iraq|arabic|"
    "hebrew|latin|english englisch anglais ingles|europe european|asia|africa|"
    "london|paris|berlin|madrid|rome|milan|vienna wien|zurich|geneva|munich munchen|hamburg|"
    "cologne koln|frankfurt|amsterdam|brussels|lisbon|barcelona|dublin|athens|moscow|istanbul|"
    "cairo|dubai|mumbai|delhi|bangalore|beijing|shanghai|tokyo|osaka|kyoto|seoul|bangkok|singapore|"
    "sydney|melbourne|toronto|vancouver|montreal|boston|chicago|seattle|denver|miami|dallas|"
    "houston|austin|atlanta|nyc|california|texas|florida|york|"
    // planets and elements of quizzes, holidays, religions
    "mercury|venus|mars|jupiter|saturn|uranus|neptune|pluto|earth|sun|moon|christmas|easter|"
    "halloween|thanksgiving|ramadan|hanukkah|islam|christianity|judaism|buddhism|hinduism|"
    "einstein|newton|shakespeare|mozart|beethoven|bach|picasso|monet|napoleon|hitler|lincoln|"
    "obama|trump|biden|putin|darwin|galileo|tesla|edison|gandhi|aspirin|ibuprofen|paracetamol "
    "acetaminophen tylenol|penicillin|amoxicillin|insulin|metformin|oxygen|hydrogen|nitrogen|"
    "helium|carbon|gold|silver|copper|iron|sodium|potassium|calcium|magnesium|zinc";

using Table = WordTable<2048>;
const Table& Known() {
  static const Table table(kNames, Table::kExact);
  return table;
}

// Known words that are other words in lower case.
constexpr std::string_view kCommonWords =
    "word make rest edge make spring express pixel meta us pip visa uber apple teams turkey swift "
    "rust go ruby rails spark slack zoom notion yarn helm react galaxy gold silver iron sun moon "
    "earth node pandas java sap oracle intel mercury polish";
const WordTable<128>& CommonWords() {
  static const WordTable<128> table(kCommonWords, WordTable<128>::kExact);
  return table;
}

// Capitalised and no names.
constexpr std::string_view kNoNames =
    "i im ive ill id ok okay mr mrs ms dr prof faq eg ie ps nb am pm ad bc hi hello dear please "
    "thanks monday tuesday wednesday thursday friday saturday sunday january february march april "
    "may june july august september october november december not no never and or pm internet";
const WordTable<256>& NoNames() {
  static const WordTable<256> table(kNoNames, WordTable<256>::kExact);
  return table;
}

class NameFinder {
 public:
  NameFinder(const Scan& scan, Facts* facts) : scan_(scan), facts_(facts) {
    size_t words = 0, capitals = 0;
    for (const Lexeme& x : scan.lexemes) {
      if (x.kind != Lexeme::kWord || x.Has(Lexeme::kStart)) continue;
      ++words;
      if (x.Has(Lexeme::kCapital)) ++capitals;
    }
    // A title, or shouting: capitals say nothing. In German, nouns have them.
    capitals_tell_ = capitals < 4 || 4 * capitals < 3 * words;
    nouns_have_capitals_ = facts->language == Language::kGerman;
    rarity_tells_ = facts->language == Language::kEnglish ||
                    (facts->language == Language::kUnknown && HasCommonWord());
  }

  void Run() {
    for (size_t i = 0; i < scan_.lexemes.size();) {
      const Lexeme& x = scan_.lexemes[i];
      const bool free = !facts_->used[i];  // not the unit of a number, or a version
      if (free && x.kind == Lexeme::kWord) {
        i = Words(i);
        continue;
      }
      if (free && (x.kind == Lexeme::kIdentifier || x.kind == Lexeme::kLink)) {
        Emit(WordKey(x), x, x);
      }
      ++i;
    }
  }

 private:
  bool LooksLikeName(size_t i) const {
    const Lexeme& x = scan_.lexemes[i];
    if (x.kind != Lexeme::kWord || !x.Has(Lexeme::kCapital) || !capitals_tell_) return false;
    if (facts_->used[i]) return false;
    if (x.folded_size < 2 && !x.Has(Lexeme::kAllCaps)) return false;
    return NoNames().First(x.hash) == nullptr && !IsFunctionWord(x.hash);
  }

  // A run of capitalised words, or one known word. Returns where to go on.
  size_t Words(size_t i) {
    size_t end = i;
    while (end < scan_.lexemes.size() && LooksLikeName(end)) ++end;
    const size_t run = end - i;
    const Lexeme& x = scan_.lexemes[i];
    const bool single_is_name =
        x.Has(Lexeme::kAllCaps) || (!x.Has(Lexeme::kStart) && !nouns_have_capitals_);
    // Of a run at a sentence's start the first word may be any; the rest are names.
    const bool run_is_name = run >= 2 && !nouns_have_capitals_;
    for (size_t k = i; k < end; ++k) {
      const bool first = k == i && x.Has(Lexeme::kStart) && !x.Has(Lexeme::kAllCaps);
      const bool named = run == 1 ? single_is_name : run_is_name && !first;
      if (named) {
        Emit(WordKey(scan_.lexemes[k]), scan_.lexemes[i], scan_.lexemes[end - 1]);
      } else {
        EmitKnown(scan_.lexemes[k]);
      }
    }
    if (run > 0) return end;
    EmitKnown(x);
    return i + 1;
  }

  void EmitKnown(const Lexeme& x) {
    const uint64_t known = KnownName(x);
    if (known == 0) return EmitRare(x);
    // At a sentence's start every word has a capital.
    const bool plain = !x.Has(Lexeme::kCapital) || x.Has(Lexeme::kStart);
    if (plain && CommonWords().First(x.hash) != nullptr) return;
    Emit(known, x, x);
  }

  bool HasCommonWord() const {
    for (const Lexeme& x : scan_.lexemes) {
      const bool is_long = x.kind == Lexeme::kWord && x.folded_size >= kLeastRareBytes;
      if (is_long && !IsFunctionWord(x.hash) && IsCommonWord(x.stem)) return true;
    }
    return false;
  }

  // "Recalculate", "preorder", "multithreaded".
  static bool IsMadeOfCommon(std::string_view word) {
    constexpr std::string_view kBefore[] = {"re",    "un",  "non",   "pre",   "over",
                                            "under", "out", "multi", "inter", "sub",
                                            "super", "dis", "mis",   "de"};
    std::array<char, kLongestMade> buffer;
    if (word.size() > kLongestMade) return false;
    for (const std::string_view before : kBefore) {
      if (word.size() < before.size() + kLeastRareBytes) continue;
      if (word.substr(0, before.size()) != before) continue;
      if (IsCommonWord(WordHash(Stem(word.substr(before.size()), buffer.data())))) return true;
    }
    return false;
  }

  // A word that hardly any text has: "tallinn", "sertraline".
  void EmitRare(const Lexeme& x) {
    if (!rarity_tells_ || x.kind != Lexeme::kWord || x.folded_size < kLeastRareBytes) return;
    if (IsFunctionWord(x.hash) || KnownMeaning(x) != 0 || IsCommonWord(x.stem)) return;
    for (const char c : scan_.Folded(x)) {
      if (c < 'a' || c > 'z') return;
    }
    if (!IsMadeOfCommon(scan_.Folded(x))) Emit(WordKey(x), x, x, kRareAxis);
  }

  void Emit(uint64_t value, const Lexeme& first, const Lexeme& last, uint32_t axis = 0) {
    Fact fact{Guard::kNames, axis, value};
    fact.begin = first.begin;
    fact.end = last.end;
    facts_->facts.push_back(fact);
  }

  const Scan& scan_;
  Facts* facts_;
  static constexpr uint32_t kLeastRareBytes = 4, kLongestMade = 40;
  bool capitals_tell_ = true, nouns_have_capitals_ = false, rarity_tells_ = false;
};

}  // namespace

uint64_t KnownName(const Lexeme& word) {
  const Table::Entry* e = Known().First(word.hash);
  return e == nullptr ? 0 : WordHash("known name") + (uint64_t{e->side} + 1) * 0x9e3779b97f4a7c15u;
}

uint64_t WordKey(const Lexeme& word) {
  if (const uint64_t name = KnownName(word)) return name;
  const uint64_t meaning = word.kind == Lexeme::kWord ? KnownMeaning(word) : 0;
  return meaning != 0 ? meaning : word.stem;
}

void FindNames(const Scan& scan, Facts* facts) { NameFinder(scan, facts).Run(); }

}  // namespace weir::meaning
