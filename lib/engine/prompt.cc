#include "engine/prompt.h"

#include <algorithm>
#include <string_view>

#include "weir/balance.h"

namespace weir::engine {

Counting CountingOf(const policy::Model* stated, std::string_view model) {
  const std::string_view encoding = stated != nullptr && !stated->encoding.empty()
                                        ? std::string_view(stated->encoding)
                                        : tokens::EncodingForModel(model);
  if (const tokens::Tokenizer* own = tokens::Find(encoding))
    return {own, true, RecycledString(model)};
  const std::string hint = tokens::ModelHint(model);
  const tokens::Tokenizer* like = tokens::Find(tokens::EncodingForModel(hint));
  if (like != nullptr) return {like, false, RecycledString(hint)};
  return {&tokens::Default(), false, RecycledString(model)};
}

uint64_t PrefixHash(const json::Value& body) {
  // Providers cache from about 1,024 tokens on; prompts that differ later share a prefix.
  constexpr size_t kMostBytes = 4096;
  constexpr std::string_view kWhole[] = {"tools",        "functions",         "system",
                                         "instructions", "systemInstruction", "prompt"};
  constexpr std::string_view kDialogue[] = {"messages", "input", "contents"};
  std::string prefix;
  const auto add = [&](const json::Value& value) {
    if (!value) return;
    prefix += value.source().substr(0, kMostBytes);
    prefix.push_back('\n');
  };
  for (std::string_view key : kWhole) add(body[key]);
  for (std::string_view key : kDialogue) {
    const json::Value dialogue = body[key];
    if (!dialogue.Is(json::Type::kArray)) {
      add(dialogue);
      continue;
    }
    for (const json::Value message : dialogue.members()) {
      add(message);
      const std::string_view role = message["role"].text();
      if (role != "system" && role != "developer") break;
    }
  }
  return std::max<uint64_t>(balance::StableHash(prefix), 1);
}

}  // namespace weir::engine
