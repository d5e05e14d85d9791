// Unicode normal forms, lower case and grapheme clusters, by utf8proc: a small library that every
// distribution has (the alternative, ICU, is thirty megabytes of data). normal_form.cc is the only
// file that sees it.
//
// The library that defines tokenizer.json has the tables of Unicode 9.0 for normal forms: what was
// assigned later decomposes to itself, stays where it is and composes with nothing, here too.

#ifndef WEIR_LIB_TOKENS_LOADED_NORMAL_FORM_H_
#define WEIR_LIB_TOKENS_LOADED_NORMAL_FORM_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::tokens {

// False when weir was built without utf8proc; the rest of this header then does nothing.
extern const bool kHasUtf8proc;

struct NormalForm {
  bool compatible = false;  // NFKC, NFKD
  bool composed = false;    // NFC, NFKC
};

// Appends `text` in the form. Linear, but for a run of n combining marks, which takes O(n log n).
void AppendNormalForm(std::string* out, std::string_view text, NormalForm form);

// Each character's own lower case, which is two characters for U+0130.
void AppendLowerCase(std::string* out, std::string_view text);

// Whether a grapheme cluster ends between two characters. `state` begins at 0 for each text.
bool ClusterEnds(char32_t before, char32_t after, int32_t* state);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_NORMAL_FORM_H_
