// What an edited body should be, worked out the plain way: every value of the document by its path,
// and the edits carried out on that list.

#ifndef WEIR_TESTS_DIALECTS_EDIT_TWIN_H_
#define WEIR_TESTS_DIALECTS_EDIT_TWIN_H_

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "weir/dialects.h"

namespace weir::dialects::testing {

// Path ("/\"messages\"/0/\"role\"", keys as JSON) to source; of an object "{", of an array "[" and
// its length. Empty when the body does not parse.
using Leaves = std::map<std::string, std::string>;

inline Leaves LeavesOf(std::string_view body) {
  json::Document document;
  Leaves leaves;
  if (!document.Parse(body)) return leaves;
  std::vector<std::pair<std::string, json::Value>> open = {{"", document.root()}};
  while (!open.empty()) {
    const auto [path, value] = open.back();
    open.pop_back();
    const bool list = value.Is(json::Type::kArray);
    if (list || value.Is(json::Type::kObject)) {
      leaves[path] = list ? Concat({"[", std::to_string(value.size())}) : "{";
    } else {
      leaves[path] = std::string(value.source());
    }
    size_t index = 0;
    for (json::Value member : value.members()) {
      std::string step = path + "/";
      if (list) {
        step += std::to_string(index++);
      } else {
        json::AppendString(&step, member.key());
      }
      open.emplace_back(std::move(step), member);
    }
  }
  return leaves;
}

inline std::string PathOf(std::initializer_list<std::string_view> keys) {
  std::string path;
  for (std::string_view key : keys) {
    path += "/";
    json::AppendString(&path, key);
  }
  return path;
}

// The name that a maximum gets where the body has none, below `object` ("": the body itself).
struct MaxOutputName {
  std::string_view object, key;
};
inline MaxOutputName NewMaxOutput(const Request& request) {
  const bool chat = request.operation == Operation::kChat;
  switch (request.dialect) {
    case Dialect::kAnthropic:
      return {"", "max_tokens"};
    case Dialect::kGemini:
      return chat ? MaxOutputName{"generationConfig", "maxOutputTokens"} : MaxOutputName{};
    case Dialect::kBedrock:
      return chat && !request.invoke ? MaxOutputName{"inferenceConfig", "maxTokens"}
                                     : MaxOutputName{};
    default:
      break;
  }
  if (chat) return {"", "max_completion_tokens"};
  if (request.operation == Operation::kResponses) return {"", "max_output_tokens"};
  if (request.operation == Operation::kCompletions) return {"", "max_tokens"};
  return {};
}

// Sets leaves[path] where it is, and makes an object of what stands above it.
inline void PutUnder(Leaves* leaves, std::string_view object, std::string_view key,
                     const std::string& value) {
  if (object.empty()) {
    (*leaves)[PathOf({key})] = value;
    return;
  }
  (*leaves)[PathOf({object})] = "{";
  (*leaves)[PathOf({object, key})] = value;
}

inline void TwinMaxOutput(Leaves* leaves, const Request& request, uint64_t tokens) {
  const std::string number = std::to_string(tokens);
  // Where a maximum may stand, in the order in which they are preferred.
  std::vector<std::string> paths;
  const auto add = [&](std::initializer_list<std::string_view> keys) {
    paths.push_back(PathOf(keys));
  };
  if (request.dialect == Dialect::kGemini) {
    if (request.operation != Operation::kChat) return;
    for (std::string_view config : {"generationConfig", "generation_config"}) {
      add({config, "maxOutputTokens"});
      add({config, "max_output_tokens"});
    }
  } else if (request.dialect == Dialect::kBedrock && request.invoke) {
    for (std::string_view key : {"max_tokens", "max_gen_len", "max_completion_tokens", "maxTokens",
                                 "max_tokens_to_sample"}) {
      add({key});
    }
    add({"inferenceConfig", "maxTokens"});
    add({"inferenceConfig", "max_new_tokens"});
    add({"textGenerationConfig", "maxTokenCount"});
  } else if (request.dialect == Dialect::kBedrock) {
    if (request.operation == Operation::kChat) add({"inferenceConfig", "maxTokens"});
  } else if (request.dialect != Dialect::kAnthropic && request.operation == Operation::kChat) {
    add({"max_completion_tokens"});
    add({"max_tokens"});
  } else if (!NewMaxOutput(request).key.empty()) {
    add({NewMaxOutput(request).key});
  }
  bool said = false;
  const std::string* null_at = nullptr;
  for (const std::string& path : paths) {
    const auto at = leaves->find(path);
    if (at == leaves->end()) continue;
    if (at->second != "null") {
      at->second = number;
      said = true;
    } else if (null_at == nullptr) {
      null_at = &path;
    }
  }
  if (said) return;
  if (null_at != nullptr) {
    (*leaves)[*null_at] = number;
    return;
  }
  MaxOutputName name = NewMaxOutput(request);
  if (name.key.empty()) return;
  if (leaves->count(PathOf({"generation_config"})) != 0 && request.dialect == Dialect::kGemini) {
    name = {"generation_config", "max_output_tokens"};
  }
  PutUnder(leaves, name.object, name.key, number);
}

// The leaves of the edited body. `request` tells only the dialect, the operation and what the path
// says; what the body says is looked up anew.
inline Leaves TwinEdit(std::string_view body, const Request& request, const Edits& edits) {
  Leaves leaves = LeavesOf(body);
  const bool openai =
      request.dialect == Dialect::kOpenAi || request.dialect == Dialect::kAzureOpenAi;
  json::Document document;
  if (!document.Parse(body)) return leaves;
  const json::Value root = document.root();
  if (!edits.model.empty() && (openai || request.dialect == Dialect::kAnthropic)) {
    const json::Value model = root["model"];
    if (!model.Is(json::Type::kString) || model.text() != edits.model) {
      std::string quoted;
      json::AppendString(&quoted, edits.model);
      leaves[PathOf({"model"})] = quoted;
    }
  }
  const bool takes_options =
      request.operation == Operation::kChat || request.operation == Operation::kCompletions;
  if (edits.want_usage && openai && takes_options && root["stream"].boolean() &&
      !root["stream_options"]["include_usage"].boolean()) {
    PutUnder(&leaves, "stream_options", "include_usage", "true");
  }
  if (edits.max_output_tokens && edits.max_output_tokens != request.max_output_tokens) {
    TwinMaxOutput(&leaves, request, *edits.max_output_tokens);
  }
  return leaves;
}

}  // namespace weir::dialects::testing

#endif  // WEIR_TESTS_DIALECTS_EDIT_TWIN_H_
