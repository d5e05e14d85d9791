#include "engine/prompt.h"

namespace weir::engine {

const tokens::Tokenizer& TokenizerFor(const policy::Plan& plan, std::string_view model,
                                      bool* known) {
  const policy::Model* stated = plan.FindModel(model);
  const std::string_view encoding = stated != nullptr && !stated->encoding.empty()
                                        ? std::string_view(stated->encoding)
                                        : tokens::EncodingForModel(model);
  const tokens::Tokenizer* tokenizer = tokens::Find(encoding);
  *known = tokenizer != nullptr;
  if (!*known) tokenizer = tokens::Find(tokens::EncodingForModel(tokens::ModelHint(model)));
  return tokenizer != nullptr ? *tokenizer : tokens::Default();
}

}  // namespace weir::engine
