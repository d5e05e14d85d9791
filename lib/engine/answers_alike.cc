#include "engine/answers_alike.h"

#include <string>
#include <string_view>
#include <vector>

#include "weir/meaning.h"

namespace weir::engine {
namespace {

// Unrelated answers come to 0.1 … 0.3, the same one in other words to 0.6 and more.
constexpr double kLeastSimilarity = 0.7;
constexpr size_t kShortBytes = 40;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// In lower case, one space between words, without markup and without what ends a word or sentence.
std::string Plain(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '*' || c == '_' || c == '#' || c == '`' || c == '"') continue;
    if (IsSpace(c)) {
      if (!plain.empty() && plain.back() != ' ') plain += ' ';
      continue;
    }
    const bool ends_word = i + 1 == text.size() || IsSpace(text[i + 1]);
    if (ends_word && std::string_view(".,;:!?").find(c) != std::string_view::npos) continue;
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  while (!plain.empty() && plain.back() == ' ') plain.pop_back();
  return plain;
}

double Similarity(std::string_view a, std::string_view b) {
  std::vector<float> x(meaning::LexicalEmbedder::kDefaultDimension), y(x.size());
  const meaning::LexicalEmbedder embedder;
  if (!embedder.Embed(a, absl::MakeSpan(x)) || !embedder.Embed(b, absl::MakeSpan(y))) return 0;
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += double{x[i]} * double{y[i]};
  return sum;
}

bool TextsAlike(std::string_view kept, std::string_view fresh) {
  using meaning::Guard;
  constexpr meaning::GuardSet kGuards =
      meaning::Only(Guard::kNumbers) | meaning::Only(Guard::kDates) |
      meaning::Only(Guard::kNegation) | meaning::Only(Guard::kOpposites) |
      meaning::Only(Guard::kLanguage) | meaning::Only(Guard::kLength);
  const std::string one = Plain(kept), other = Plain(fresh);
  if (one == other) return true;
  if (one.size() <= kShortBytes || other.size() <= kShortBytes) return false;
  if (Similarity(one, other) < kLeastSimilarity) return false;
  return meaning::Compare(meaning::Features::Of(kept), meaning::Features::Of(fresh), kGuards)
      .allowed;
}

}  // namespace

bool AnswersAlike(const dialects::KeptAnswer& kept, const dialects::KeptAnswer& fresh) {
  if (kept.choices.size() != fresh.choices.size()) return false;
  for (size_t i = 0; i < kept.choices.size(); ++i) {
    if (!TextsAlike(kept.choices[i].text, fresh.choices[i].text)) return false;
  }
  return true;
}

}  // namespace weir::engine
