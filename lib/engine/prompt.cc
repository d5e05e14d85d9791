#include "engine/prompt.h"

#include <string_view>

namespace weir::engine {

Counting CountingOf(const policy::Model* stated, const std::string& model) {
  const std::string_view encoding = stated != nullptr && !stated->encoding.empty()
                                        ? std::string_view(stated->encoding)
                                        : tokens::EncodingForModel(model);
  if (const tokens::Tokenizer* own = tokens::Find(encoding)) return {own, true, model};
  const std::string hint = tokens::ModelHint(model);
  const tokens::Tokenizer* like = tokens::Find(tokens::EncodingForModel(hint));
  if (like != nullptr) return {like, false, hint};
  return {&tokens::Default(), false, model};
}

}  // namespace weir::engine
