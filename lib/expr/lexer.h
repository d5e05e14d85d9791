// The words of an expression.

#ifndef WEIR_LIB_EXPR_LEXER_H_
#define WEIR_LIB_EXPR_LEXER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace weir::expr {

// "column N: message", N from 1 for offset 0.
absl::Status ErrorAt(size_t offset, std::string_view message);

// In quotes, for a message: cut when long, control characters shown as `?`.
std::string Quoted(std::string_view text);

enum class TokenKind : uint8_t { kEnd, kIdentifier, kInteger, kString, kSymbol };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  size_t begin = 0;
  std::string_view text;  // as written
  uint64_t integer = 0;   // kInteger: at most 2^63, which only a minus before it makes fit
  std::string string;     // kString: decoded

  bool IsSymbol(std::string_view symbol) const {
    return kind == TokenKind::kSymbol && text == symbol;
  }
  bool IsWord(std::string_view word) const {
    return kind == TokenKind::kIdentifier && text == word;
  }
};

// What a token is called in a message: "'+'", "a string", "the end".
std::string Describe(const Token& token);

class Lexer {
 public:
  // `source` is UTF-8 and outlives the lexer and its tokens.
  explicit Lexer(std::string_view source) : source_(source) {}

  absl::Status Next(Token* token);

 private:
  void SkipBlanks();
  absl::Status LexNumber(Token* token);
  absl::Status LexString(Token* token);
  absl::Status LexEscape(std::string* out);
  absl::Status LexHex(size_t digits, size_t escape_begin, std::string* out);
  absl::Status LexSymbol(Token* token);
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  std::string_view source_;
  size_t at_ = 0;
};

}  // namespace weir::expr

#endif  // WEIR_LIB_EXPR_LEXER_H_
