// weir/meaning.h: whether two texts can mean the same, told from the texts alone.
//
// Two halves, for caches that match prompts by meaning and for whoever else compares texts:
//
// Guards. A similarity, whatever gave it, cannot tell "enable" from "disable" or 10 mg from 100 mg.
// Features::Of writes down what must agree (numbers, dates, negations, names …); Compare lays two
// of them side by side and allows, or names the guard that refuses and the pieces that differ.
//
//   Features asked = Features::Of("How do I enable the beta API?");
//   Features stored = Features::Of("How do I disable the beta API?");
//   Verdict v = Compare(asked, stored);   // v.allowed == false, v.guard == Guard::kOpposites,
//                                         // v.asked == "enable", v.stored == "disable"
//
// The lexical embedder. A vector of a text's words, word pairs and letter groups, hashed; no model
// and no service. Its cosine is high for texts that share their wording, not for those that share
// their meaning in other words: it is honestly named "lexical", and its thresholds are lower.
//
//   std::vector<float> vector(LexicalEmbedder::kDefaultDimension);
//   LexicalEmbedder().Embed("How do I reset my password?", absl::MakeSpan(vector));
//
// What the guards are. They read words, not meaning: each is a rule with a table. Numbers, dates,
// quotations, code, identifiers, capitalised names, languages and plain negations are told by form,
// and surely. Opposites are told by tables and by the forms of words ("expected", "unexpected");
// names in lower case by a table, and by being words that hardly any text has ("tallinn"). What
// neither knows passes: "smooth" and "bumpy" do, and so do "cats" and "parrots". bench/README.md
// has the figures, also for pairs whose words the tables do not have. Guard "words" closes that gap
// at a price (below). Tables are largest for English, smaller for German, French and Spanish;
// Chinese, Japanese, Korean and Russian have negations only, and numbers and names in Latin
// letters. Other texts are compared by numbers, quotations, code and script.
//
// Letters are compared without case and without the accents of Latin letters. Case is known for
// Latin (to U+017F), Greek and Cyrillic letters. Bytes that are not UTF-8 separate words.
//
// Limits: of a text the first kMaxTextBytes are read, and a text that is longer is compared by a
// hash of the rest as well, so that it agrees only with texts that end alike; its vector ignores
// the rest. More than kMaxFacts facts, or more than kMaxWords different words, are likewise
// compared as a whole: then all must agree.
//
// Threads: all of it is without state; any thread, any time. Cost: Of and Embed are linear in the
// text, Compare in the number of facts (tens of nanoseconds for a sentence); it asks for no memory.

#ifndef WEIR_MEANING_H_
#define WEIR_MEANING_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace weir::meaning {

inline constexpr size_t kMaxTextBytes = 64 * 1024;
inline constexpr size_t kMaxFacts = 512;
inline constexpr size_t kMaxWords = 2048;
inline constexpr size_t kMaxPieceBytes = 32;           // of the text, kept for each fact
inline constexpr size_t kMaxFeatureBytes = 32 * 1024;  // of a text's features; usually 100 … 400

// What must agree.
enum class Guard : uint8_t {
  kNumbers,    // "numbers": values with their units, however written
  kDates,      // "dates": days, months, times, weekdays, "tomorrow"
  kNegation,   // "negation": not, never, without …
  kOpposites,  // "opposites": enable / disable, before / after, paid / unpaid …
  kOrder,      // "order": from / to, X than Y, who does it to whom: parts exchanged
  kQuestion,   // "question": when / where / who / why / how many
  kQuotes,     // "quotes": quoted strings
  kCode,       // "code": code in backticks and fences, operators
  kNames,      // "names": capitalised words, identifiers, URLs, addresses, paths, known names,
               // and a rare word in another's place
  kLanguage,   // "language": script, and language where its function words tell
  kWords,      // "words": one content word in the other's place, all others the same
  kLength,     // "length": what is beyond the limits below, compared as a whole
};
inline constexpr int kGuards = 12;

// The name in lower case, as above; empty for a value that is no guard.
std::string_view GuardName(Guard guard);
std::optional<Guard> GuardByName(std::string_view name);

// Which guards are on: bit i for the guard of value i.
using GuardSet = uint32_t;
inline constexpr GuardSet kAllGuards = (GuardSet{1} << kGuards) - 1;
// All but "words", which refuses nearly every text with another noun, verb or unknown opposite, and
// a fifth to a quarter of the paraphrases: for caches where a wrong hit costs more than many
// misses.
inline constexpr GuardSet kDefaultGuards = kAllGuards & ~(GuardSet{1} << 10);
constexpr GuardSet Only(Guard guard) { return GuardSet{1} << static_cast<int>(guard); }

// A text's features as bytes that somebody else keeps (an entry of a cache): checked once, then
// compared where they lie. Valid as long as the bytes are.
class FeaturesView {
 public:
  // InvalidArgument for anything that Features did not write: another version, wrong sizes, facts
  // out of order. Bytes may come from an enemy; whatever passes is safe to compare.
  static absl::StatusOr<FeaturesView> Parse(std::string_view bytes);

  std::string_view bytes() const { return bytes_; }

 private:
  friend class Features;
  explicit FeaturesView(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

// The same with bytes of its own.
class Features {
 public:
  static Features Of(std::string_view text);
  // As FeaturesView::Parse, and copies.
  static absl::StatusOr<Features> Parse(std::string_view bytes);

  // The serialised form: the same for a text in every process and build of this version; at most
  // kMaxFeatureBytes. The first byte is the version. Holds pieces of the text, readable.
  const std::string& Serialize() const { return bytes_; }
  operator FeaturesView() const { return FeaturesView(bytes_); }  // NOLINT: they are the same

 private:
  explicit Features(std::string bytes) : bytes_(static_cast<std::string&&>(bytes)) {}
  std::string bytes_;
};

struct Verdict {
  bool allowed = true;
  Guard guard = Guard::kNumbers;   // that refused
  std::string_view asked, stored;  // what differs, into the features; empty: nothing there
};

// May an answer to `stored` answer `asked`? Symmetric but for the verdict's pieces. The guards are
// asked in the order of their values; the first that refuses is named.
Verdict Compare(FeaturesView asked, FeaturesView stored, GuardSet guards = kDefaultGuards);

// Hashed words, pairs of neighbouring words and letter groups of three to five (feature hashing:
// Weinberger et al., "Feature hashing for large scale multitask learning", 2009; sub-word groups as
// in Bojanowski et al., "Enriching word vectors with subword information", 2017), each added with
// its sign to its place; frequent function words count little; square-rooted counts; L2 norm 1.
class LexicalEmbedder {
 public:
  static constexpr size_t kDefaultDimension = 512;
  static constexpr size_t kMinDimension = 64, kMaxDimension = 4096;
  // Entries of another id, dimension or epoch are not comparable.
  static constexpr std::string_view kId = "lexical";
  static constexpr uint32_t kEpoch = 1;  // grows whenever any text's vector changes

  // `vector` has kMinDimension … kMaxDimension floats, else nothing is written and the result is
  // false; so it is for a text without a word, whose vector would have no direction.
  bool Embed(std::string_view text, absl::Span<float> vector) const;
};

}  // namespace weir::meaning

#endif  // WEIR_MEANING_H_
