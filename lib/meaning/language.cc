// The language of a text, as far as script and function words tell; and what a function word is.

#include <array>

#include "meaning/facts.h"
#include "meaning/word_table.h"

namespace weir::meaning {
namespace {

// In the order of Language: English, German, French, Spanish, Italian, Portuguese, Dutch. Words
// that several languages have say nothing alone, and count for each.
constexpr std::string_view kFunctionWords =
    "the a an of and to in is are was were be been it its that this these those for with on at by "
    "from as or if how what when where who why which can could do does did i you he she we they my "
    "your our their me us them his her there here have has had will would should may might must "
    "not about into than then so such any some all just please tell give explain show get am but "
    "im ill ive whats hows also only between during while because;"
    "der die das den dem des ein eine einen einem einer und oder ist sind war waren wie was wann "
    "wo "
    "wer warum welche welcher welches ich du er sie es wir ihr mein meine meinen meinem dein deine "
    "nicht kein keine mit ohne von zu zum zur auf fur im am an aus bei nach uber unter vor kann "
    "konnen mache man wird werden habe hat sich auch noch nur wenn dass als bitte gibt muss soll;"
    "le la les un une des du de et ou est sont etait comment quoi quand ou qui pourquoi quel "
    "quelle "
    "quels quelles je tu il elle nous vous ils mon ma mes ton ta tes son sa ses ne pas que ce "
    "cette "
    "ces dans en sur avec sans pour par puis peut peux faire fait plus au aux se me si dois faut;"
    "el la los las un una unos unas de del y o es son era como que cuando donde quien por cual "
    "cuales yo tu ella nosotros mi mis su sus no en con sin para al se me si puedo puede hacer hay "
    "esta este esto lo le mas muy debo cuanto cuantos;"
    "il lo la gli i le un uno una di del della dei delle e o sono era come che cosa quando dove "
    "chi "
    "perche quale io noi mio mia non in con senza per al si posso fare questo questa piu;"
    "o os as um uma uns umas de do da dos das e ou sao era como que quando onde quem por qual eu "
    "nos meu minha nao em no na com sem para ao se posso fazer este esta mais voce;"
    "de het een en of is zijn was hoe wat wanneer waar wie waarom welke ik jij hij zij wij mijn "
    "niet geen met zonder van naar op voor in uit bij kan kunnen doen maken wordt ook maar als dit "
    "dat";

using Table = WordTable<1024>;
const Table& FunctionWords() {
  static const Table table(kFunctionWords, Table::kExact);
  return table;
}

constexpr int kLatinLanguages = 7;

Language ByWords(const Scan& scan) {
  std::array<uint32_t, kLatinLanguages> words = {};
  uint32_t all = 0;
  for (const Lexeme& x : scan.lexemes) {
    if (x.kind != Lexeme::kWord || x.Has(Lexeme::kNonLatin)) continue;
    ++all;
    FunctionWords().Find(x.hash, [&](const Table::Entry& e) { ++words[e.group]; });
  }
  size_t best = 0;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i] > words[best]) best = i;
  }
  uint32_t second = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i != best && words[i] > second) second = words[i];
  }
  // A clear lead, and of a share that is no quotation in another language.
  const bool clear = words[best] >= 2 && words[best] >= second + 2 && 6 * words[best] >= all;
  return clear ? static_cast<Language>(best + 1) : Language::kUnknown;
}

Language Cyrillic(const Scan& scan) {
  for (const std::string_view letter : {"\xd1\x96", "\xd1\x97", "\xd1\x94", "\xd2\x91"}) {
    if (scan.folded.find(letter) != std::string::npos) return Language::kUkrainian;
  }
  return Language::kRussian;
}

}  // namespace

bool IsFunctionWord(uint64_t hash) { return FunctionWords().First(hash) != nullptr; }

Language GuessLanguage(const Scan& scan) {
  const auto count = [&](Script s) { return uint64_t{scan.letters[static_cast<int>(s)]}; };
  const uint64_t latin = count(Script::kLatin);
  const uint64_t han = count(Script::kHan), kana = count(Script::kKana);
  // A character of these is worth several Latin letters: names and code in Latin are no change of
  // language.
  const uint64_t east = 3 * (han + kana + count(Script::kHangul));
  uint64_t others = count(Script::kOther), greek = count(Script::kGreek);
  const uint64_t cyrillic = count(Script::kCyrillic);
  if (east > latin && east > cyrillic + others) {
    if (count(Script::kHangul) > han + kana) return Language::kKorean;
    return 10 * kana > han + kana ? Language::kJapanese : Language::kChinese;
  }
  if (2 * cyrillic > latin && cyrillic > greek + others) return Cyrillic(scan);
  if (2 * greek > latin && greek > others) return Language::kGreek;
  if (2 * others > latin) return Language::kOther;
  return ByWords(scan);
}

}  // namespace weir::meaning
