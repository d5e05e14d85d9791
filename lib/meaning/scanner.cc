#include "meaning/scanner.h"

#include <algorithm>
#include <array>

namespace weir::meaning {
namespace {

constexpr size_t kMaxChunkBytes =
    512;  // a longer run is cut, so that each byte is read a few times
constexpr size_t kMaxInlineBytes = 1024;  // of code between single backticks
constexpr size_t kMaxQuoteBytes = 512;

bool IsAsciiIn(uint32_t c, std::string_view set) {
  return c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
}

// What a run of letters and digits that is not just words is made of.
struct Shape {
  int letters = 0, digits = 0, dots = 0, slashes = 0, changes = 0;  // letters to digits and back
  bool underscore = false, colons = false, at = false, backslash = false, camel = false;
  bool letters_dash_digits = false, hyphen = false, upper = false, lower = false;
  bool single_letters = true;  // each piece between dots is one letter
  bool non_latin = false;
};

class Scanner {
 public:
  explicit Scanner(Scan* scan) : scan_(scan), text_(scan->text) {}

  void Run() {
    while (at_ < text_.size()) Step();
  }

 private:
  void Step() {
    const Character c = Decode(text_, at_);
    if (IsSpace(c.value)) {
      if (c.value == '\n') {
        Add(Lexeme::kSymbol, at_, at_ + 1);
        start_ = true;
      } else {
        at_ += c.size;
      }
      glued_ = false;
      return;
    }
    if (c.value == '`' && Code()) return;
    const Script script = ScriptOf(c.value);
    if (StandsAlone(script)) {
      ++scan_->letters[static_cast<int>(script)];
      Add(Lexeme::kWord, at_, at_ + c.size);
      return;
    }
    const bool begins = script != Script::kNone || IsDigit(c.value);
    if (at_ >= simple_until_ && (begins || IsAsciiIn(c.value, "/~.\\_@")) && Chunk()) return;
    if (script != Script::kNone) return Word();
    if (IsDigit(c.value)) return Number();
    Symbol(c);
  }

  // Backticks: a fence of three or more, or a run of one or two closed by the same within reach.
  bool Code() {
    size_t ticks = 1;
    while (at_ + ticks < text_.size() && text_[at_ + ticks] == '`') ++ticks;
    const bool fence = ticks >= 3;
    const size_t from = at_ + ticks;
    const size_t reach = fence ? text_.size() : std::min(text_.size(), from + kMaxInlineBytes);
    size_t close = from;
    for (;; close += 1) {
      close = text_.substr(0, reach).find('`', close);
      if (close == std::string_view::npos) break;
      size_t run = 1;
      while (close + run < reach && text_[close + run] == '`') ++run;
      if (fence ? run >= 3 : run == ticks) break;
      close += run - 1;
    }
    if (close == std::string_view::npos && !fence) return false;
    const size_t end = close == std::string_view::npos ? text_.size() : close;
    Add(fence ? Lexeme::kFence : Lexeme::kCode, from, end);
    at_ = end;
    while (at_ < text_.size() && text_[at_] == '`') ++at_;
    start_ = false;
    return true;
  }

  // A run that is one thing: an identifier, a link, a path. False: its parts are things of their
  // own, and it is not looked at again.
  bool Chunk() {
    size_t end = at_;
    const Shape shape = Measure(&end);
    simple_until_ = std::max(end, at_ + 1);
    if (text_.substr(at_, end - at_).find("://") != std::string_view::npos) {
      return AddChunk(Lexeme::kLink, UrlEnd());
    }
    end = Trimmed(end);
    const std::string_view run = text_.substr(at_, end - at_);
    const bool call = shape.letters > 0 && text_.substr(end, 2) == "()";
    if (shape.at && shape.dots > 0 && shape.letters > 0) return AddChunk(Lexeme::kLink, end);
    if (IsPath(run, shape)) return AddChunk(Lexeme::kLink, end);
    if (run.empty() || !(IsLetter(Decode(run, 0).value) || IsDigit(Decode(run, 0).value) ||
                         run[0] == '_' || run[0] == '.')) {
      return false;
    }
    if (call) return AddChunk(Lexeme::kIdentifier, end + 2);
    if (shape.letters == 0 || shape.slashes > 0) return false;
    return IsIdentifier(run, shape) && AddChunk(Lexeme::kIdentifier, end);
  }

  Shape Measure(size_t* end) const {
    Shape s;
    size_t at = at_, piece = 0;
    int before = 0;  // 1 letter, 2 digit, 3 a dash after letters
    while (at < text_.size() && at - at_ < kMaxChunkBytes) {
      const Character c = Decode(text_, at);
      const Script script = ScriptOf(c.value);
      if (StandsAlone(script)) break;
      if (script != Script::kNone) {
        const bool upper = IsUpper(c.value);
        if (before == 2) ++s.changes;
        if (upper && before == 1 && s.lower) s.camel = true;
        (upper ? s.upper : s.lower) = true;
        if (script != Script::kLatin) s.non_latin = true;
        ++s.letters;
        if (++piece > 1) s.single_letters = false;
        before = 1;
      } else if (IsDigit(c.value)) {
        if (before == 1) ++s.changes;
        if (before == 3) s.letters_dash_digits = true;
        ++s.digits;
        s.single_letters = false;
        before = 2;
      } else if (IsAsciiIn(c.value, "_-.:/@\\~+#'") || c.value == 0x2019) {
        Note(c.value, at, &s);
        before = c.value == '-' && before == 1 ? 3 : 0;
        piece = 0;
      } else {
        break;
      }
      at += c.size;
    }
    *end = at;
    return s;
  }

  void Note(uint32_t c, size_t at, Shape* s) const {
    switch (c) {
      case '_':
        s->underscore = true;
        break;
      case '-':
        s->hyphen = true;
        break;
      case '.':
        ++s->dots;
        break;
      case ':':
        if (at + 1 < text_.size() && text_[at + 1] == ':') s->colons = true;
        break;
      case '/':
        ++s->slashes;
        break;
      case '\\':
        s->backslash = true;
        break;
      case '@':
        s->at = true;
        break;
      default:
        break;
    }
  }

  size_t UrlEnd() const {
    size_t end = at_;
    while (end < text_.size() && end - at_ < 4 * kMaxChunkBytes) {
      const Character c = Decode(text_, end);
      if (IsSpace(c.value) || IsAsciiIn(c.value, "\"<>`|")) break;
      end += c.size;
    }
    while (end > at_ && IsAsciiIn(static_cast<unsigned char>(text_[end - 1]), ".,;:!?)]}'")) --end;
    return end;
  }

  size_t Trimmed(size_t end) const {
    while (end > at_) {
      const unsigned char last = static_cast<unsigned char>(text_[end - 1]);
      if (IsAsciiIn(last, ".:-/@~'")) {
        --end;
      } else if (end - at_ >= 3 && text_.substr(end - 3, 3) == "\xe2\x80\x99") {
        end -= 3;
      } else {
        break;
      }
    }
    return end;
  }

  static bool IsPath(std::string_view run, const Shape& s) {
    if (s.letters == 0) return false;
    if (s.backslash) return true;
    if (s.slashes == 0) return false;
    const bool rooted =
        run[0] == '/' || run[0] == '~' || run.substr(0, 2) == "./" || run.substr(0, 3) == "../";
    if (rooted) return true;
    return s.slashes >= 2 ? s.letters > 3 * s.slashes : s.dots > 0;
  }

  static bool IsIdentifier(std::string_view run, const Shape& s) {
    if (s.underscore || s.colons) return true;
    const bool digit_first = IsDigit(Decode(run, 0).value);
    if (s.dots > 0 && !s.single_letters) return IsDotted(run, s, digit_first);
    if (s.digits > 0) {
      if (digit_first) return s.changes >= 2 && run.find('-') == std::string_view::npos;
      return s.changes > 0 || s.letters_dash_digits;
    }
    return s.camel && !s.hyphen && !s.non_latin && run.find('\'') == std::string_view::npos &&
           run.find("\xe2\x80\x99") == std::string_view::npos;
  }

  // a.b: a domain, a file, a member; not the end of one sentence and the begin of the next.
  static bool IsDotted(std::string_view run, const Shape& s, bool digit_first) {
    if (run[0] == '.') return s.dots == 1;
    if (digit_first) return false;
    const size_t dot = run.rfind('.');
    if (dot == std::string_view::npos || dot + 1 >= run.size() || dot < 2) return s.digits > 0;
    const bool version = (run[0] | 0x20) == 'v' && IsDigit(static_cast<unsigned char>(run[1]));
    if (version) return true;
    const uint32_t next = static_cast<unsigned char>(run[dot + 1]);
    return !IsUpper(next) || !s.lower;
  }

  bool AddChunk(Lexeme::Kind kind, size_t end) {
    if (end <= at_) return false;
    Add(kind, at_, end);
    start_ = false;
    return true;
  }

  void Word() {
    size_t end = at_;
    while (end < text_.size() && end - at_ < kMaxChunkBytes) {
      const Character c = Decode(text_, end);
      const Script script = ScriptOf(c.value);
      if (StandsAlone(script)) break;
      if (script == Script::kNone) {
        if (c.value >= 0x300 && c.value < 0x370) {  // a combining mark
          end += c.size;
          continue;
        }
        const size_t after = end + c.size;
        if (!IsApostrophe(c.value) || after >= text_.size() ||
            !IsLetter(Decode(text_, after).value)) {
          break;
        }
        // l'eau, d'un, qu'il: two words.
        if (end - at_ <= 2 && LettersFrom(after) >= 3) break;
      } else {
        ++scan_->letters[static_cast<int>(script)];
      }
      end += c.size;
    }
    // a.m., U.S., e.g.: one word of single letters. C++, C#: part of the word.
    if (end - at_ == 1) end = SingleLetterEnd(end);
    Add(Lexeme::kWord, at_, end);
    start_ = false;
    if (at_ < text_.size() && IsApostrophe(Decode(text_, at_).value)) {
      at_ += Decode(text_, at_).size;
    }
  }

  size_t LettersFrom(size_t at) const {
    size_t n = 0;
    while (at < text_.size() && n < 4) {
      const Character c = Decode(text_, at);
      if (!IsLetter(c.value)) break;
      ++n;
      at += c.size;
    }
    return n;
  }

  size_t SingleLetterEnd(size_t end) const {
    if (text_.substr(end, 2) == "++") return end + 2;
    if (text_.substr(end, 1) == "#") return end + 1;
    size_t at = end;
    int letters = 1;
    while (at + 1 < text_.size() && text_[at] == '.' &&
           ScriptOf(static_cast<unsigned char>(text_[at + 1])) == Script::kLatin &&
           (at + 2 >= text_.size() || !IsLetter(static_cast<unsigned char>(text_[at + 2])))) {
      at += 2;
      ++letters;
    }
    if (letters == 1) return end;
    return at < text_.size() && text_[at] == '.' ? at + 1 : at;
  }

  // Digits, with separators that have digits on both sides.
  void Number() {
    size_t end = at_;
    while (end < text_.size() && end - at_ < kMaxChunkBytes) {
      const Character c = Decode(text_, end);
      if (IsDigit(c.value)) {
        end += c.size;
        continue;
      }
      const size_t after = end + c.size;
      const bool separates =
          IsAsciiIn(c.value, ".,'") || c.value == 0x2019 || c.value == 0x202F || c.value == 0xA0;
      if (!separates || after >= text_.size() || !IsDigit(Decode(text_, after).value)) break;
      end = after;
    }
    Add(Lexeme::kNumber, at_, end);
    start_ = false;
  }

  void Symbol(Character c) {
    size_t end = at_ + c.size;
    if (IsAsciiIn(c.value, "=!<>&|+-*")) {
      while (end < text_.size() && end - at_ < 3 &&
             IsAsciiIn(static_cast<unsigned char>(text_[end]), "=<>&|+-*")) {
        ++end;
      }
    }
    const bool ends_sentence =
        IsAsciiIn(c.value, ".!?:") || c.value == 0x3002 || c.value == 0xBF || c.value == 0xA1;
    Add(Lexeme::kSymbol, at_, end);
    if (ends_sentence) start_ = true;
  }

  void Add(Lexeme::Kind kind, size_t begin, size_t end) {
    Lexeme x;
    x.kind = kind;
    x.begin = static_cast<uint32_t>(begin);
    x.end = static_cast<uint32_t>(end);
    if (glued_) x.flags |= Lexeme::kGlued;
    if (start_ && kind != Lexeme::kSymbol) x.flags |= Lexeme::kStart;
    Fold(&x);
    scan_->lexemes.push_back(x);
    at_ = end;
    glued_ = true;
    if (kind != Lexeme::kSymbol) start_ = false;
  }

  void Fold(Lexeme* x) {
    std::string* folded = &scan_->folded;
    x->folded_begin = static_cast<uint32_t>(folded->size());
    const bool code = x->kind == Lexeme::kCode || x->kind == Lexeme::kFence;
    const bool word = x->kind == Lexeme::kWord;
    size_t letters = 0, capitals = 0;
    bool space = false;
    for (size_t at = x->begin; at < x->end;) {
      const Character c = Decode(text_, at);
      at += c.size;
      if (code) {  // case counts; white space only as such
        if (IsSpace(c.value) && c.value != 0) {
          space = true;
          continue;
        }
        if (space && folded->size() > x->folded_begin) folded->push_back(' ');
        space = false;
        folded->append(text_.substr(at - c.size, c.size));
        continue;
      }
      if (word && (IsApostrophe(c.value) || c.value == '.')) {
        if (IsApostrophe(c.value) && Dropped(at, x->end)) break;
        continue;
      }
      if (letters == 0 && IsLetter(c.value)) {
        if (IsUpper(c.value)) x->flags |= Lexeme::kCapital;
        if (ScriptOf(c.value) != Script::kLatin) x->flags |= Lexeme::kNonLatin;
      }
      if (IsLetter(c.value)) ++letters;
      if (IsUpper(c.value)) ++capitals;
      AppendFolded(c.value, folded);
    }
    if (letters >= 2 && letters == capitals) x->flags |= Lexeme::kAllCaps;
    x->folded_size = static_cast<uint32_t>(folded->size()) - x->folded_begin;
    const std::string_view text = scan_->Folded(*x);
    x->hash = WordHash(text);
    std::array<char, 64> buffer;
    const bool stems = !code && text.size() <= buffer.size();
    x->stem = stems ? WordHash(Stem(text, buffer.data())) : x->hash;
  }

  // 's, 're, 've, 'll, 'd, 'm after a word say nothing that the guards look at.
  bool Dropped(size_t at, size_t end) const {
    const std::string_view rest = text_.substr(at, end - at);
    return rest == "s" || rest == "S" || rest == "re" || rest == "ve" || rest == "ll" ||
           rest == "d" || rest == "m";
  }

  Scan* scan_;
  std::string_view text_;
  size_t at_ = 0;
  size_t simple_until_ = 0;
  bool glued_ = false;
  bool start_ = true;
};

// Finds quotations: one closing mark for each opening one, no nesting, in one paragraph.
class QuotationFinder {
 public:
  explicit QuotationFinder(Scan* scan) : scan_(scan), text_(scan->text) {}

  void Run() {
    bool inside = false;  // a word or number is before
    for (size_t at = 0; at < text_.size();) {
      const Character c = Decode(text_, at);
      const size_t from = at + c.size;
      const int kind = KindOf(c.value, inside);
      inside = IsLetter(c.value) || IsDigit(c.value);
      at = from;
      if (kind < 0 || from < none_before_[kind]) continue;
      const size_t end = Close(kind, from);
      if (end == std::string_view::npos) {
        none_before_[kind] = std::min(text_.size(), from + kMaxQuoteBytes);
        continue;
      }
      if (end > from) {
        scan_->quotations.push_back({static_cast<uint32_t>(from), static_cast<uint32_t>(end)});
      }
      at = end + Decode(text_, end).size;
    }
  }

 private:
  static int KindOf(uint32_t c, bool inside) {
    switch (c) {
      case '"':
        return 0;
      case '\'':
        return inside ? -1 : 1;
      case 0x201C:
      case 0x201E:
        return 2;
      case 0x2018:
      case 0x201A:
        return inside ? -1 : 3;
      case 0xAB:
        return 4;
      case 0x300C:
      case 0x300E:
        return 5;
      default:
        return -1;
    }
  }

  static bool Closes(int kind, uint32_t c) {
    switch (kind) {
      case 0:
        return c == '"';
      case 1:
        return c == '\'';
      case 2:
        return c == 0x201D || c == 0x201C;
      case 3:
        return c == 0x2019 || c == 0x2018;
      case 4:
        return c == 0xBB;
      default:
        return c == 0x300D || c == 0x300F;
    }
  }

  size_t Close(int kind, size_t from) const {
    for (size_t at = from; at < text_.size() && at - from < kMaxQuoteBytes;) {
      const Character c = Decode(text_, at);
      if (Closes(kind, c.value)) {
        const size_t after = at + c.size;
        const bool apostrophe = (kind == 1 || kind == 3) && after < text_.size() &&
                                IsLetter(Decode(text_, after).value);
        if (!apostrophe) return at;
      }
      if (c.value == '\n' && at + 1 < text_.size() && text_[at + 1] == '\n') break;
      at += c.size;
    }
    return std::string_view::npos;
  }

  Scan* scan_;
  std::string_view text_;
  std::array<size_t, 6> none_before_ = {};
};

}  // namespace

Scan ScanText(std::string_view text) {
  Scan scan;
  scan.text = text;
  scan.folded.reserve(text.size() + text.size() / 8);
  scan.lexemes.reserve(text.size() / 4 + 4);
  Scanner(&scan).Run();
  QuotationFinder(&scan).Run();
  return scan;
}

}  // namespace weir::meaning
