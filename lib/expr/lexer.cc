#include "expr/lexer.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace weir::expr {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsWordByte(char c) { return IsWordStart(c) || IsDigit(c); }
bool IsQuote(char c) { return c == '\'' || c == '"'; }

void AppendUtf8(uint32_t code, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

// r'' b'' rb'' br'' in either case.
bool IsStringPrefix(std::string_view word) {
  return word.size() <= 2 && word.find_first_not_of("rRbB") == std::string_view::npos;
}

// What a one-letter escape stands for; 0 when it is none.
char SimpleEscape(char c) {
  constexpr std::string_view kLetters = "abfnrtv\\?\"'`";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\?\"'`";
  const size_t at = kLetters.find(c);
  return at == std::string_view::npos ? '\0' : kMeanings[at];
}

}  // namespace

absl::Status ErrorAt(size_t offset, std::string_view message) {
  return absl::InvalidArgumentError(Concat({"column ", std::to_string(offset + 1), ": ", message}));
}

std::string Quoted(std::string_view text) {
  constexpr size_t kLongestShown = 64;
  std::string shown(text.substr(0, Utf8Prefix(text, kLongestShown)));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return Concat({"'", shown, shown.size() < text.size() ? "...'" : "'"});
}

std::string Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEnd:
      return "the end";
    case TokenKind::kString:
      return "a string";
    default:
      return Quoted(token.text);
  }
}

void Lexer::SkipBlanks() {
  constexpr std::string_view kBlanks = " \t\n\f\r";
  while (at_ < source_.size()) {
    if (Peek() == '/' && Peek(1) == '/') {
      at_ = std::min(source_.find_first_of("\r\n", at_), source_.size());
    } else if (kBlanks.find(Peek()) != std::string_view::npos) {
      ++at_;
    } else {
      return;
    }
  }
}

absl::Status Lexer::Next(Token* token) {
  SkipBlanks();
  token->begin = at_;
  token->string.clear();
  absl::Status status;
  if (at_ == source_.size()) {
    token->kind = TokenKind::kEnd;
  } else if (IsDigit(Peek()) || (Peek() == '.' && IsDigit(Peek(1)))) {
    status = LexNumber(token);
  } else if (IsQuote(Peek())) {
    status = LexString(token);
  } else if (IsWordStart(Peek())) {
    token->kind = TokenKind::kIdentifier;
    while (IsWordByte(Peek())) ++at_;
    const std::string_view word = source_.substr(token->begin, at_ - token->begin);
    if (IsQuote(Peek()) && IsStringPrefix(word)) {
      return ErrorAt(token->begin, "raw strings and bytes are not supported");
    }
  } else {
    status = LexSymbol(token);
  }
  token->text = source_.substr(token->begin, at_ - token->begin);
  return status;
}

absl::Status Lexer::LexNumber(Token* token) {
  token->kind = TokenKind::kInteger;
  const bool hex = Peek() == '0' && (Peek(1) == 'x' || Peek(1) == 'X');
  if (hex) at_ += 2;
  const char* begin = source_.data() + at_;
  const auto [end, error] =
      std::from_chars(begin, source_.data() + source_.size(), token->integer, hex ? 16 : 10);
  at_ += static_cast<size_t>(end - begin);
  const char after = Peek();
  if (!hex && (after == '.' || after == 'e' || after == 'E')) {
    return ErrorAt(token->begin, "floating-point numbers are not supported");
  }
  if (error == std::errc::invalid_argument) {
    return ErrorAt(at_, "expected hexadecimal digits");
  }
  if (after == 'u' || after == 'U') {
    return ErrorAt(token->begin, "unsigned integers are not supported");
  }
  if (IsWordByte(after)) return ErrorAt(at_, "expected the number to end here");
  if (error != std::errc() || token->integer > uint64_t{1} << 63) {
    return ErrorAt(token->begin, "the integer does not fit in 64 bits");
  }
  return absl::OkStatus();
}

absl::Status Lexer::LexString(Token* token) {
  token->kind = TokenKind::kString;
  const char quote = Peek();
  if (Peek(1) == quote && Peek(2) == quote) {
    return ErrorAt(at_, "triple-quoted strings are not supported");
  }
  ++at_;
  while (at_ < source_.size()) {
    const char c = Peek();
    if (c == quote) {
      ++at_;
      return absl::OkStatus();
    }
    if (c == '\n' || c == '\r') break;
    if (c == '\\') {
      if (absl::Status status = LexEscape(&token->string); !status.ok()) return status;
    } else {
      token->string.push_back(c);
      ++at_;
    }
  }
  return ErrorAt(token->begin, "the string is not closed");
}

absl::Status Lexer::LexEscape(std::string* out) {
  const size_t begin = at_++;
  const char c = Peek();
  if (const char simple = SimpleEscape(c); simple != '\0') {
    ++at_;
    out->push_back(simple);
    return absl::OkStatus();
  }
  if (c == 'x' || c == 'X' || c == 'u' || c == 'U') {
    ++at_;
    return LexHex(c == 'u' ? 4 : c == 'U' ? 8 : 2, begin, out);
  }
  const auto octal = [this](size_t ahead) { return Peek(ahead) >= '0' && Peek(ahead) <= '7'; };
  if (c >= '0' && c <= '3' && octal(1) && octal(2)) {
    AppendUtf8(static_cast<uint32_t>((c - '0') * 64 + (Peek(1) - '0') * 8 + (Peek(2) - '0')), out);
    at_ += 3;
    return absl::OkStatus();
  }
  return ErrorAt(begin, "unknown escape in a string");
}

absl::Status Lexer::LexHex(size_t digits, size_t escape_begin, std::string* out) {
  uint32_t code = 0;
  const std::string_view text = source_.substr(at_, digits);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code, 16);
  if (text.size() < digits || error != std::errc() || end != text.data() + digits) {
    return ErrorAt(escape_begin,
                   Concat({"the escape needs ", std::to_string(digits), " hexadecimal digits"}));
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    return ErrorAt(escape_begin, "the escape is no Unicode character");
  }
  at_ += digits;
  AppendUtf8(code, out);
  return absl::OkStatus();
}

absl::Status Lexer::LexSymbol(Token* token) {
  constexpr std::string_view kPairs[] = {"==", "!=", "<=", ">=", "&&", "||"};
  constexpr std::string_view kSingles = "()[]{}.,?:+-*/%!<>";
  token->kind = TokenKind::kSymbol;
  for (std::string_view pair : kPairs) {
    if (source_.substr(at_, 2) != pair) continue;
    at_ += 2;
    return absl::OkStatus();
  }
  const char c = Peek();
  if (kSingles.find(c) != std::string_view::npos) {
    ++at_;
    return absl::OkStatus();
  }
  if (c == '=') return ErrorAt(at_, "'=' is no operator; use '=='");
  if (c == '&') return ErrorAt(at_, "'&' is no operator; use '&&'");
  if (c == '|') return ErrorAt(at_, "'|' is no operator; use '||'");
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return ErrorAt(
      at_, Concat({"unexpected byte 0x", kHex.substr(byte >> 4, 1), kHex.substr(byte & 15, 1)}));
}

}  // namespace weir::expr
