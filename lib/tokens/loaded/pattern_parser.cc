#include "tokens/loaded/pattern_parser.h"

#include <charconv>
#include <utility>

#include "base/text.h"

namespace weir::tokens {
namespace {

constexpr size_t kMaxSourceBytes = 8192;
constexpr size_t kMaxSets = 128;
constexpr size_t kMaxAlternatives = 64;
constexpr size_t kMaxItems = 256;
constexpr uint32_t kMaxCount = 255;

struct Property {
  std::string_view name;
  CategorySet categories;
};
constexpr Property kProperties[] = {
    {"L", kAnyLetter},
    {"Lu", SetOf(kLu)},
    {"Ll", SetOf(kLl)},
    {"Lt", SetOf(kLt)},
    {"Lm", SetOf(kLm)},
    {"Lo", SetOf(kLo)},
    {"M", kAnyMark},
    {"Mn", SetOf(kMn)},
    {"Mc", SetOf(kMc)},
    {"Me", SetOf(kMe)},
    {"N", kAnyNumber},
    {"Nd", SetOf(kNd)},
    {"Nl", SetOf(kNl)},
    {"No", SetOf(kNo)},
    {"P", kAnyPunctuation},
    {"Pc", SetOf(kPc)},
    {"Pd", SetOf(kPd)},
    {"Ps", SetOf(kPs)},
    {"Pe", SetOf(kPe)},
    {"Pi", SetOf(kPi)},
    {"Pf", SetOf(kPf)},
    {"Po", SetOf(kPo)},
    {"S", kAnySymbol},
    {"Sm", SetOf(kSm)},
    {"Sc", SetOf(kSc)},
    {"Sk", SetOf(kSk)},
    {"So", SetOf(kSo)},
    {"Z", kAnySeparator},
    {"Zs", SetOf(kZs)},
    {"Zl", SetOf(kZl)},
    {"Zp", SetOf(kZp)},
    {"Cc", SetOf(kCc, kCcSpace)},
    {"Cf", SetOf(kCf)},
    {"Letter", kAnyLetter},
    {"Mark", kAnyMark},
    {"Number", kAnyNumber},
    {"Punctuation", kAnyPunctuation},
    {"Symbol", kAnySymbol},
};

bool IsAsciiAlphanumeric(char32_t c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80);
}

bool IsQuantifier(char c) { return c == '*' || c == '+' || c == '?' || c == '{'; }

}  // namespace

bool PatternParser::Unsupported(std::string_view what) {
  status_ = absl::UnimplementedError(
      Concat({"the pattern has ", what, ", which is not supported: ", source_}));
  return false;
}

bool PatternParser::Malformed(std::string_view what) {
  status_ = absl::InvalidArgumentError(Concat({"the pattern has ", what, ": ", source_}));
  return false;
}

bool PatternParser::Take(std::string_view text) {
  if (rest_.substr(0, text.size()) != text) return false;
  rest_.remove_prefix(text.size());
  return true;
}

char32_t PatternParser::TakeCharacter() {
  const CodePoint c = DecodeAt(rest_.data(), rest_.data() + rest_.size());
  rest_.remove_prefix(c.bytes);
  return c.value;
}

absl::Status PatternParser::Parse() {
  if (source_.size() > kMaxSourceBytes || FindInvalidUtf8(source_) != std::string_view::npos) {
    source_ = "(not shown)";
    Malformed("more than 8192 bytes, or is not UTF-8");
    return status_;
  }
  if (source_.find('\0') != std::string_view::npos) {
    Unsupported("a NUL");
    return status_;
  }
  alternatives.emplace_back();
  while (!rest_.empty()) {
    if (Take("|")) {
      if (alternatives.size() == kMaxAlternatives) {
        Unsupported("more than 64 alternatives");
        return status_;
      }
      alternatives.emplace_back();
    } else if (alternatives.back().size() == kMaxItems) {
      Unsupported("more than 256 parts");
      return status_;
    } else if (!ParseItem(&alternatives.back())) {
      return status_;
    }
  }
  return absl::OkStatus();
}

bool PatternParser::AtLookAhead() const {
  return rest_.substr(0, 3) == "(?!" || rest_.substr(0, 3) == "(?=";
}

bool PatternParser::ParseItem(std::vector<PatternItem>* items) {
  if (rest_.front() == '(' && !AtLookAhead()) return ParseGroup(items);
  PatternItem item;
  if (!ParseAtom(&item.atom)) return false;
  items->push_back(std::move(item));
  return true;
}

bool PatternParser::ParseLookAhead(PatternAtom* atom) {
  atom->kind = rest_[2] == '!' ? PatternNode::Kind::kNotAhead : PatternNode::Kind::kAhead;
  rest_.remove_prefix(3);
  CharSet set;
  if (rest_.empty()) return Malformed("a ( without its )");
  if (!ParseOne(&set) || !AddSet(std::move(set), &atom->set)) return false;
  if (!Take(")")) return Unsupported("a look-ahead of more than one character");
  if (!rest_.empty() && IsQuantifier(rest_[0])) {
    return Unsupported("a quantifier of a look-ahead");
  }
  return true;
}

bool PatternParser::ParseGroup(std::vector<PatternItem>* items) {
  fold_ = Take("(?i:");
  if (!fold_ && !Take("(?:")) {
    rest_.remove_prefix(1);
    if (!rest_.empty() && rest_[0] == '?') return Unsupported("a group that is not (?: or (?i:");
  }
  PatternItem item;
  item.group.emplace_back();
  while (!Take(")")) {
    if (rest_.empty()) return Malformed("a ( without its )");
    if (rest_[0] == '(' && !AtLookAhead()) return Unsupported("a group inside a group");
    if (Take("|")) {
      if (item.group.size() == kMaxAlternatives - 1)
        return Unsupported("more alternatives than 63");
      item.group.emplace_back();
      continue;
    }
    PatternAtom atom;
    if (!ParseAtom(&atom)) return false;
    if (item.group.back().size() == kMaxItems) return Unsupported("more than 256 parts");
    item.group.back().push_back(atom);
    if (FoldsAcrossCharacters(item.group.back())) {
      return Unsupported("two letters that fold to one character");
    }
  }
  fold_ = false;
  item.optional = Take("?");
  if (!rest_.empty() && IsQuantifier(rest_[0])) {
    return Unsupported("a repeated group");
  }
  items->push_back(std::move(item));
  return true;
}

// Oniguruma folds these to U+00DF, U+FB00 to U+FB02, U+FB05 and U+FB06.
bool PatternParser::FoldsAcrossCharacters(const std::vector<PatternAtom>& atoms) const {
  if (!fold_ || flavour_ != RegexFlavour::kOniguruma || atoms.size() < 2) return false;
  const CharSet& first = sets[atoms[atoms.size() - 2].set];
  const CharSet& second = sets[atoms.back().set];
  return (first.HasAscii('f') &&
          (second.HasAscii('f') || second.HasAscii('i') || second.HasAscii('l'))) ||
         (first.HasAscii('s') && (second.HasAscii('s') || second.HasAscii('t')));
}

bool PatternParser::AddSet(CharSet set, uint16_t* index) {
  if (sets.size() == kMaxSets) return Unsupported("more than 128 characters and classes");
  set.Freeze();
  *index = static_cast<uint16_t>(sets.size());
  sets.push_back(std::move(set));
  return true;
}

bool PatternParser::ParseAtom(PatternAtom* atom) {
  if (AtLookAhead()) return ParseLookAhead(atom);
  if (Take("$")) {
    atom->kind = flavour_ == RegexFlavour::kTiktoken ? PatternNode::Kind::kEndOfText
                                                     : PatternNode::Kind::kEndOfLine;
    if (fold_) return Unsupported("a $ inside (?i:");
    return rest_.empty() || rest_[0] != '*' ? true : Malformed("a quantifier of nothing");
  }
  CharSet set;
  return ParseOne(&set) && AddSet(std::move(set), &atom->set) && ParseQuantifier(atom);
}

bool PatternParser::ParseQuantifier(PatternAtom* atom) {
  bool braces = false;
  if (Take("?")) {
    atom->min = 0;
  } else if (Take("*")) {
    atom->min = 0;
    atom->max = Pattern::kUnlimited;
  } else if (Take("+")) {
    atom->max = Pattern::kUnlimited;
  } else if (Take("{")) {
    braces = true;
    if (!ParseBraces(atom)) return false;
  } else {
    return true;
  }
  if (Take("+")) {
    // Oniguruma reads {n,m}+ as a repeated repetition.
    if (braces && flavour_ == RegexFlavour::kOniguruma) return Unsupported("a {}+");
    atom->possessive = true;
  }
  if (!rest_.empty() && IsQuantifier(rest_[0])) {
    return Unsupported("a lazy or repeated quantifier");
  }
  return true;
}

bool PatternParser::ParseBraces(PatternAtom* atom) {
  const size_t close = rest_.find('}');
  if (close == std::string_view::npos) return Malformed("a { without its }");
  const std::string_view inside = rest_.substr(0, close);
  rest_.remove_prefix(close + 1);
  const size_t comma = inside.find(',');
  uint64_t low = 0, high = 0;
  if (!ParseUint64(inside.substr(0, comma), &low) || low > kMaxCount) {
    return Unsupported("a {} that is not {n}, {n,} or {n,m} of at most 255");
  }
  atom->min = static_cast<uint32_t>(low);
  if (comma == std::string_view::npos) {
    atom->max = atom->min;
  } else if (comma + 1 == inside.size()) {
    atom->max = Pattern::kUnlimited;
  } else if (ParseUint64(inside.substr(comma + 1), &high) && high <= kMaxCount && high >= low) {
    atom->max = static_cast<uint32_t>(high);
  } else {
    return Unsupported("a {} that is not {n}, {n,} or {n,m} of at most 255");
  }
  return atom->max != 0 || Malformed("a {0}");
}

void PatternParser::AddLiteral(CharSet* set, char32_t c) {
  if (fold_) {
    set->AddFolded(c);
  } else {
    set->Add(c, c);
  }
}

bool PatternParser::ParseOne(CharSet* set) {
  switch (rest_[0]) {
    case '[':
      rest_.remove_prefix(1);
      return ParseClass(set);
    case '\\': {
      char32_t literal = 0;
      if (!ParseEscape(set, &literal)) return false;
      if (literal != 0) AddLiteral(set, literal);
      return true;
    }
    case '.':
    case '^':
      return Unsupported(rest_.substr(0, 1));
    case '*':
    case '+':
    case '?':
    case '{':
    case ')':
      return Malformed(Concat({"a ", rest_.substr(0, 1), " with nothing before it"}));
    default: {
      const char32_t c = TakeCharacter();
      if (fold_ && c >= 0x80) return Unsupported("a letter beyond ASCII inside (?i:");
      AddLiteral(set, c);
      return true;
    }
  }
}

bool PatternParser::ParseClass(CharSet* set) {
  const bool negated = Take("^");
  if (!rest_.empty() && rest_[0] == ']') return Unsupported("a ] at the beginning of a class");
  while (!Take("]")) {
    if (rest_.empty()) return Malformed("a [ without its ]");
    if (!ParseClassPart(set)) return false;
  }
  if (negated) set->Negate();
  return true;
}

bool PatternParser::ParseClassPart(CharSet* set) {
  if (rest_[0] == '[') return Unsupported("a [ inside a class");
  if (rest_.substr(0, 2) == "&&") return Unsupported("a && in a class");
  const auto one = [this, set](char32_t* literal) {
    if (rest_[0] == '\\') return ParseEscape(set, literal);
    *literal = TakeCharacter();
    return true;
  };
  char32_t first = 0;
  if (!one(&first)) return false;
  if (first == 0) return true;
  const bool range = rest_.size() >= 2 && rest_[0] == '-' && rest_[1] != ']';
  if (fold_ && (range || first >= 0x80)) return Unsupported("such a class inside (?i:");
  if (!range) {
    AddLiteral(set, first);
    return true;
  }
  rest_.remove_prefix(1);
  if (rest_[0] == '[') return Unsupported("a [ inside a class");
  char32_t last = 0;
  if (!one(&last)) return false;
  if (last < first) return Malformed("a range without a sound end");
  set->Add(first, last);
  return true;
}

// Sets *literal for one character; leaves it 0 for a class, which it adds to the set.
bool PatternParser::ParseEscape(CharSet* set, char32_t* literal) {
  rest_.remove_prefix(1);
  if (rest_.empty()) return Malformed("a \\ at its end");
  const char32_t c = TakeCharacter();
  if (fold_ && IsAsciiAlphanumeric(c)) return Unsupported("an escape inside (?i:");
  switch (c) {
    case 'n':
      *literal = '\n';
      return true;
    case 'r':
      *literal = '\r';
      return true;
    case 't':
      *literal = '\t';
      return true;
    case 'f':
      *literal = '\f';
      return true;
    case 'v':
      *literal = '\v';
      return true;
    case 's':
      set->Add(kWhiteSpace);
      return true;
    case 'S':
      set->Add(kEveryCategory & ~kWhiteSpace);
      return true;
    case 'd':
      set->Add(SetOf(kNd));
      return true;
    case 'D':
      set->Add(kEveryCategory & ~SetOf(kNd));
      return true;
    case 'p':
    case 'P':
      return ParseProperty(set, c == 'P');
    case 'u':
    case 'x':
      return ParseCodePoint(literal);
    case 'w':
      set->Add(kAnyLetter | kAnyMark | SetOf(kNd, kNl, kPc));
      for (const char32_t first : {0x24B6, 0x1F130, 0x1F150}) {
        set->Add(first, first + (first == 0x24B6 ? 51 : 25));
      }
      set->Add(0x1F170, 0x1F189);
      if (flavour_ == RegexFlavour::kTiktoken) set->Add(0x200C, 0x200D);
      return true;
    default:
      break;
  }
  if (IsAsciiAlphanumeric(c) || c >= 0x80) {
    std::string name = "\\";
    AppendCodePoint(&name, c);
    return Unsupported(name);
  }
  *literal = c;
  return true;
}

bool PatternParser::ParseCodePoint(char32_t* literal) {
  std::string_view digits = rest_.substr(0, 4);
  size_t taken = 4;
  if (Take("{")) {
    const size_t close = rest_.find('}');
    if (close == std::string_view::npos) return Malformed("a { without its }");
    digits = rest_.substr(0, close);
    taken = close + 1;
  } else if (rest_.size() < 4) {
    return Malformed("an escape that is cut short");
  }
  uint32_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.empty() || read.ec != std::errc() || read.ptr != digits.data() + digits.size() ||
      value == 0 || value > 0x10FFFF) {
    return Unsupported("an escape that is not \\uHHHH or \\x{H}");
  }
  rest_.remove_prefix(taken);
  *literal = value;
  return true;
}

bool PatternParser::ParseProperty(CharSet* set, bool negated) {
  const size_t close = rest_.find('}');
  if (!Take("{") || close == std::string_view::npos) return Unsupported("a \\p without its {}");
  const std::string_view name = rest_.substr(0, close - 1);
  rest_.remove_prefix(close);
  for (const Property& property : kProperties) {
    if (property.name != name) continue;
    set->Add(negated ? kEveryCategory & ~property.categories : property.categories);
    return true;
  }
  return Unsupported(Concat({"\\p{", name, "}"}));
}

}  // namespace weir::tokens
