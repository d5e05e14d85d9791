#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "meaning/facts.h"
#include "meaning/packed.h"
#include "weir/meaning.h"

namespace weir::meaning {
namespace {

void Append16(uint64_t value, std::string* out) {
  out->push_back(static_cast<char>(value & 0xFF));
  out->push_back(static_cast<char>(value >> 8 & 0xFF));
}
void Append32(uint64_t value, std::string* out) {
  Append16(value, out);
  Append16(value >> 16, out);
}
void Append64(uint64_t value, std::string* out) {
  Append32(value, out);
  Append32(value >> 32, out);
}

std::tuple<uint8_t, uint32_t, uint64_t> Order(const Fact& f) {
  return {static_cast<uint8_t>(f.guard), f.axis, f.value};
}

// Every word by which the other text may refer to a name or a quoted string of this one.
void AddWord(const Lexeme& x, std::vector<uint16_t>* words) {
  if (x.kind == Lexeme::kSymbol || x.kind == Lexeme::kFence) return;
  if (x.kind == Lexeme::kCode || x.kind == Lexeme::kNumber) return;
  if (x.kind == Lexeme::kWord && IsFunctionWord(x.hash)) return;
  words->push_back(ShortHash(WordKey(x)));
}

void AddInnerWord(const Lexeme& x, uint32_t begin, Guard guard, std::vector<Fact>* facts) {
  if (x.kind == Lexeme::kSymbol || x.kind == Lexeme::kFence || x.kind == Lexeme::kCode) return;
  if (x.kind == Lexeme::kNumber || (x.kind == Lexeme::kWord && IsFunctionWord(x.hash))) return;
  Fact fact{guard, kInnerWord, WordKey(x)};
  fact.begin = begin + x.begin;
  fact.end = begin + x.end;
  facts->push_back(fact);
}

// The words inside inline code, which the scan left alone, and inside quotations.
void AddInnerWords(const Scan& scan, std::vector<Fact>* facts, std::vector<uint16_t>* words) {
  for (const Lexeme& x : scan.lexemes) {
    if (x.kind != Lexeme::kCode) continue;
    const Scan inside = ScanText(scan.Source(x));
    for (const Lexeme& y : inside.lexemes) {
      AddWord(y, words);
      AddInnerWord(y, x.begin, Guard::kCode, facts);
    }
  }
  for (const Quotation& q : scan.quotations) {
    auto it = std::lower_bound(scan.lexemes.begin(), scan.lexemes.end(), q.begin,
                               [](const Lexeme& x, uint32_t at) { return x.begin < at; });
    for (; it != scan.lexemes.end() && it->end <= q.end; ++it) {
      AddInnerWord(*it, 0, Guard::kQuotes, facts);
    }
  }
}

class Packer {
 public:
  explicit Packer(std::string_view text) : text_(text) {}

  std::string Pack(Facts* found, std::vector<uint16_t>* words, uint64_t beyond) {
    std::vector<Fact>& facts = found->facts;
    std::stable_sort(facts.begin(), facts.end(),
                     [](const Fact& a, const Fact& b) { return Order(a) < Order(b); });
    const auto same = [](const Fact& a, const Fact& b) {
      return a.guard != Guard::kNumbers && Order(a) == Order(b);
    };
    facts.erase(std::unique(facts.begin(), facts.end(), same), facts.end());
    std::sort(words->begin(), words->end());
    words->erase(std::unique(words->begin(), words->end()), words->end());
    for (; facts.size() > kMaxFacts; facts.pop_back()) {
      const Fact& f = facts.back();
      beyond += (f.value ^ f.axis) * 0x9fb21c651e98df25u + static_cast<uint64_t>(f.guard) + 1;
    }
    for (; words->size() > kMaxWords; words->pop_back()) {
      beyond += (uint64_t{words->back()} + 1) * 0x9e3779b97f4a7c15u;
    }
    return Write(*found, *words, beyond);
  }

 private:
  std::string Write(const Facts& found, const std::vector<uint16_t>& words, uint64_t beyond) {
    std::string body;
    for (const Fact& f : found.facts) {
      Append32(uint64_t{static_cast<uint8_t>(f.guard)} << 24 | (f.axis & 0xFFFFFF), &body);
      const auto [offset, size] = Piece(f.begin, f.end);
      Append16(offset, &body);
      body.push_back(static_cast<char>(size));
      body.push_back(static_cast<char>(f.flags));
      Append64(f.value, &body);
    }
    for (const uint16_t word : words) Append16(word, &body);
    const Negations& n = found.negations;
    const auto [offset, size] = Piece(n.begin, n.end);

    std::string bytes;
    bytes.reserve(kHeaderBytes + body.size() + pieces_.size());
    bytes.push_back(static_cast<char>(kVersion));
    bytes.push_back(static_cast<char>(found.language));
    bytes.push_back(static_cast<char>(std::min(n.sure, 255u)));
    bytes.push_back(static_cast<char>(std::min(n.maybe, 255u)));
    bytes.push_back(static_cast<char>(size));
    bytes.append(3, '\0');
    Append16(found.facts.size(), &bytes);
    Append16(words.size(), &bytes);
    Append16(pieces_.size(), &bytes);
    Append16(offset, &bytes);
    Append64(beyond, &bytes);
    return bytes.append(body).append(pieces_);
  }

  // Where the piece is among the pieces, and its size.
  std::pair<size_t, size_t> Piece(size_t begin, size_t end) {
    const std::string_view all = text_.substr(begin, end - begin);
    const std::string_view piece = all.substr(0, Utf8Prefix(all, kMaxPieceBytes));
    if (piece.empty()) return {0, 0};
    // Facts of one piece follow each other often.
    if (piece.size() <= last_.second && pieces_.compare(last_.first, last_.second, piece) == 0) {
      return last_;
    }
    last_ = {pieces_.size(), piece.size()};
    pieces_.append(piece);
    return last_;
  }

  std::string_view text_;
  std::string pieces_;
  std::pair<size_t, size_t> last_ = {0, 0};
};

bool InOrder(const Packed& packed) {
  for (size_t i = 0; i < packed.facts(); ++i) {
    if (packed.Key(i) >> 24 >= static_cast<uint32_t>(kGuards)) return false;
    if (i == 0) continue;
    const auto before = std::pair(packed.Key(i - 1), packed.Value(i - 1));
    if (std::pair(packed.Key(i), packed.Value(i)) < before) return false;
  }
  for (size_t i = 1; i < packed.words(); ++i) {
    if (packed.Word(i) <= packed.Word(i - 1)) return false;
  }
  return true;
}

bool Sound(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes.size() > kMaxFeatureBytes) return false;
  if (static_cast<uint8_t>(bytes[0]) != kVersion) return false;
  if (static_cast<uint8_t>(bytes[1]) > static_cast<uint8_t>(Language::kOther)) return false;
  if (bytes[5] != 0 || bytes[6] != 0 || bytes[7] != 0) return false;
  const Packed packed(bytes);
  if (packed.facts() > kMaxFacts || packed.words() > kMaxWords) return false;
  const size_t size =
      kHeaderBytes + kFactBytes * packed.facts() + 2 * packed.words() + packed.piece_bytes();
  if (bytes.size() != size) return false;
  const auto inside = [&](const char* offset, const char* length) {
    return size_t{Load16(offset)} + static_cast<unsigned char>(*length) <= packed.piece_bytes();
  };
  if (!inside(bytes.data() + 14, bytes.data() + 4)) return false;
  for (size_t i = 0; i < packed.facts(); ++i) {
    const char* fact = bytes.data() + kHeaderBytes + kFactBytes * i;
    if (!inside(fact + 4, fact + 6)) return false;
  }
  return InOrder(packed);
}

}  // namespace

Features Features::Of(std::string_view text) {
  const std::string_view head = text.substr(0, Utf8Prefix(text, kMaxTextBytes));
  const uint64_t beyond = head.size() < text.size() ? WordHash(text.substr(head.size())) | 1 : 0;
  const Scan scan = ScanText(head);
  Facts facts;
  facts.used.resize(scan.lexemes.size());
  facts.language = GuessLanguage(scan);
  FindDates(scan, &facts);
  FindNumbers(scan, &facts);
  FindOpposites(scan, &facts);
  FindForms(scan, &facts);
  FindOrder(scan, &facts);
  FindQuotes(scan, &facts);
  FindCode(scan, &facts);
  FindNames(scan, &facts);
  std::vector<uint16_t> words;
  words.reserve(scan.lexemes.size() + 8);
  for (size_t i = 0; i < scan.lexemes.size(); ++i) {
    // "5 km" and "5 kilometres" are a number, not words.
    if (!facts.used[i]) AddWord(scan.lexemes[i], &words);
  }
  AddInnerWords(scan, &facts.facts, &words);
  return Features(Packer(head).Pack(&facts, &words, beyond));
}

absl::StatusOr<FeaturesView> FeaturesView::Parse(std::string_view bytes) {
  if (!Sound(bytes)) return absl::InvalidArgumentError("not features of this version");
  return FeaturesView(bytes);
}

absl::StatusOr<Features> Features::Parse(std::string_view bytes) {
  const absl::StatusOr<FeaturesView> view = FeaturesView::Parse(bytes);
  if (!view.ok()) return view.status();
  return Features(std::string(bytes));
}

}  // namespace weir::meaning
