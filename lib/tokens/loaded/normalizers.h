// The normalizers of a tokenizer.json: each rewrites the whole of a text before it is cut up.

#ifndef WEIR_LIB_TOKENS_LOADED_NORMALIZERS_H_
#define WEIR_LIB_TOKENS_LOADED_NORMALIZERS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokens/loaded/chars_map.h"
#include "tokens/loaded/normal_form.h"
#include "tokens/loaded/pattern.h"

namespace weir::tokens {

// A text on its way. Its first `origin` bytes stand for the first character of what was given, and
// the rest for what came after: one pre-tokenizer asks whether a piece begins where the text began.
struct TextInWork {
  std::string text;
  size_t origin = 0;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // `work->text` is not empty when it comes.
  virtual void Apply(TextInWork* work) const = 0;
  // By how much a text can grow at most, as a factor.
  virtual size_t growth() const { return 1; }
};

// What a Replace or a Split looks for.
struct SearchFor {
  std::string literal;  // when there is no pattern
  std::unique_ptr<Pattern> pattern;
};

class NormalFormNormalizer final : public Normalizer {
 public:
  explicit NormalFormNormalizer(NormalForm form) : form_(form) {}
  void Apply(TextInWork* work) const override;
  size_t growth() const override { return 12; }

 private:
  NormalForm form_;
};

class LowercaseNormalizer final : public Normalizer {
 public:
  void Apply(TextInWork* work) const override;
  size_t growth() const override { return 2; }
};

class PrecompiledNormalizer final : public Normalizer {
 public:
  explicit PrecompiledNormalizer(CharsMap map) : map_(std::move(map)) {}
  void Apply(TextInWork* work) const override;
  size_t growth() const override { return map_.growth(); }

 private:
  CharsMap map_;
};

class StripNormalizer final : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  void Apply(TextInWork* work) const override;

 private:
  bool left_, right_;
};

class PrependNormalizer final : public Normalizer {
 public:
  explicit PrependNormalizer(std::string_view text) : text_(text) {}
  void Apply(TextInWork* work) const override;
  size_t growth() const override { return 1 + text_.size(); }

 private:
  std::string text_;
};

class ReplaceNormalizer final : public Normalizer {
 public:
  ReplaceNormalizer(SearchFor what, std::string_view by) : what_(std::move(what)), by_(by) {}
  void Apply(TextInWork* work) const override;
  size_t growth() const override { return 1 + by_.size(); }

 private:
  SearchFor what_;
  std::string by_;
};

// Those that look at each character by itself.
enum class CharacterRule {
  kStripAccents,  // leaves out marks
  kNmt,           // leaves out controls, makes rare spaces ' '
  kBertClean,     // leaves out controls, makes all white space ' '
  kBertChinese,   // puts spaces round ideographs
  kBertAccents,   // leaves out the marks without a width
  kByteLevel,     // each byte becomes the character that stands for it
};

class CharacterNormalizer final : public Normalizer {
 public:
  explicit CharacterNormalizer(CharacterRule rule) : rule_(rule) {}
  void Apply(TextInWork* work) const override;
  size_t growth() const override { return 3; }

 private:
  void AppendOne(std::string* out, std::string_view character, char32_t value) const;
  CharacterRule rule_;
};

// The character that stands for a byte where text is handled as bytes: itself if it is a visible
// one of Latin-1, else one from U+0100 on.
char32_t CharacterOfByte(unsigned char byte);
void AppendBytesAsCharacters(std::string* out, std::string_view bytes);
// The other way; false when a character stands for no byte.
bool AppendCharactersAsBytes(std::string* out, std::string_view characters);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_NORMALIZERS_H_
