// Quoted strings, code in backticks and fences, operators.

#include <algorithm>

#include "meaning/facts.h"

namespace weir::meaning {
namespace {

// The words between two places of the text, as one value; white space and case do not count.
uint64_t WordsBetween(const Scan& scan, const Quotation& q) {
  const auto first = std::lower_bound(scan.lexemes.begin(), scan.lexemes.end(), q.begin,
                                      [](const Lexeme& x, uint32_t at) { return x.begin < at; });
  uint64_t hash = 0;
  for (auto it = first; it != scan.lexemes.end() && it->end <= q.end; ++it) {
    if (it->kind == Lexeme::kSymbol && scan.Source(*it) == "\n") continue;
    hash = (hash ^ it->hash) * 0x9fb21c651e98df25u;
    hash ^= hash >> 29;
  }
  // A full stop inside the marks is the sentence's.
  return hash;
}

bool IsOperator(std::string_view s) {
  return s == "==" || s == "!=" || s == "<=" || s == ">=" || s == "&&" || s == "||" || s == "->" ||
         s == "=>" || s == "++" || s == "--" || s == "<<" || s == ">>" || s == "<" || s == ">" ||
         s == "===" || s == "!==" || s == "+=" || s == "-=" || s == "**" || s == "^" || s == "=" ||
         s == "+";
}

}  // namespace

void FindQuotes(const Scan& scan, Facts* facts) {
  for (const Quotation& q : scan.quotations) {
    Quotation inner = q;
    while (inner.end > inner.begin &&
           (scan.text[inner.end - 1] == '.' || scan.text[inner.end - 1] == ',')) {
      --inner.end;
    }
    Fact fact{Guard::kQuotes, 0, WordsBetween(scan, inner)};
    fact.begin = q.begin;
    fact.end = q.end;
    facts->facts.push_back(fact);
  }
}

void FindCode(const Scan& scan, Facts* facts) {
  for (const Lexeme& x : scan.lexemes) {
    const bool code = x.kind == Lexeme::kCode || x.kind == Lexeme::kFence;
    if (!code && !(x.kind == Lexeme::kSymbol && IsOperator(scan.Source(x)))) continue;
    // Axis 1: what need not be marked as code by both: `list` and list.
    Fact fact{Guard::kCode, x.kind == Lexeme::kCode ? 1u : 0u, x.hash};
    fact.begin = x.begin;
    fact.end = x.end;
    facts->facts.push_back(fact);
  }
}

}  // namespace weir::meaning
