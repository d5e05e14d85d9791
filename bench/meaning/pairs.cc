// What the guards and the lexical embedder say of pairs of texts: for bench/meaning/pairs.py.
//
// Reads lines of JSON, {"a": …, "b": …}; writes a line for each: the cosine of the lexical vectors,
// whether the default guards allow it, whether all do, and which refuses.

#include <iostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "weir/meaning.h"

namespace {

using weir::meaning::Features;
using weir::meaning::LexicalEmbedder;

double Cosine(const std::string& a, const std::string& b) {
  std::vector<float> x(LexicalEmbedder::kDefaultDimension), y(x.size());
  if (!LexicalEmbedder().Embed(a, absl::MakeSpan(x))) return 0;
  if (!LexicalEmbedder().Embed(b, absl::MakeSpan(y))) return 0;
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += double{x[i]} * double{y[i]};
  return sum;
}

}  // namespace

int main() {
  weir::json::Document document;
  for (std::string line; std::getline(std::cin, line);) {
    weir::json::ParseError error;
    if (!document.Parse(line, {}, &error)) {
      std::cerr << "not JSON: " << line << '\n';
      return 1;
    }
    const std::string a(document.root()["a"].text()), b(document.root()["b"].text());
    const Features of_a = Features::Of(a), of_b = Features::Of(b);
    const auto usual = Compare(of_a, of_b);
    const auto strict = Compare(of_a, of_b, weir::meaning::kAllGuards);
    std::cout << Cosine(a, b) << '\t' << usual.allowed << '\t' << strict.allowed << '\t'
              << (strict.allowed ? "" : GuardName(strict.guard)) << '\n';
  }
  return 0;
}
