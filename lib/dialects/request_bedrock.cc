// Requests in AWS Bedrock's dialect: converse, and invoke, whose body is the model family's own.

#include "dialects/request_reader.h"

namespace weir::dialects {
namespace {

using json::Value;

constexpr Place kBody;

bool OneMessage(Value message, const Place& place, RequestReader* reader) {
  const Value content = message["content"];
  const Place at(place, "content");
  return reader->Needed(message["role"], Place(place, "role"), kText) &&
         reader->Needed(content, at, kList) &&
         reader->Objects(content, at, [](Value, const Place&) { return true; });
}

// What the families call the most that may be written, at the top or in an object.
struct MaxOutputName {
  std::string_view object, key;
};
constexpr MaxOutputName kMaxOutputNames[] = {
    {"", "max_tokens"},                         // Anthropic, Mistral, Cohere
    {"", "max_gen_len"},                        // Llama
    {"", "max_completion_tokens"},              // OpenAI's open models
    {"", "maxTokens"},                          // AI21
    {"", "max_tokens_to_sample"},               // Anthropic's older prompts
    {"inferenceConfig", "maxTokens"},           // Nova
    {"inferenceConfig", "max_new_tokens"},      // Nova, as its examples spell it
    {"textGenerationConfig", "maxTokenCount"},  // Titan
};

}  // namespace

bool ReadBedrockConverse(Value root, RequestReader* reader) {
  Request& request = reader->request();
  for (Value member : root.members()) {
    const std::string_view key = member.key();
    const Place place(kBody, key);
    bool ok = true;
    if (key == "messages") {
      ok = reader->Typed(member, place, kNull | kList) &&
           reader->Objects(member, place, [reader](Value message, const Place& at) {
             return OneMessage(message, at, reader);
           });
    } else if (key == "inferenceConfig") {
      request.config_value = SpanOf(member);
      ok = reader->Typed(member, place, kNull | kObject) &&
           reader->MaxOutput(member["maxTokens"], Place(place, "maxTokens"), 1);
    } else if (key == "system") {
      ok = reader->Typed(member, place, kNull | kList) &&
           reader->Objects(member, place, [](Value, const Place&) { return true; });
    } else if (key == "toolConfig") {
      ok = reader->Typed(member, place, kNull | kObject);
    }
    if (!ok) return false;
  }
  return true;
}

bool ReadBedrockInvoke(Value root, RequestReader* reader) {
  Request& request = reader->request();
  for (const MaxOutputName& name : kMaxOutputNames) {
    const Place above(kBody, name.object);
    const Place& place = name.object.empty() ? kBody : above;
    const Value object = name.object.empty() ? root : root[name.object];
    const Value value = object[name.key];
    if (!value) continue;
    if (request.max_output_value.end != 0) {
      return reader->Fail(Place(place, name.key), "This parameter appears under two names:", ".");
    }
    if (!reader->MaxOutput(value, Place(place, name.key), 0)) return false;
  }
  std::optional<uint64_t> n;
  if (!reader->Count(root["num_generations"], Place(kBody, "num_generations"), 1, &n)) {
    return false;
  }
  request.n = n.value_or(1);
  return true;
}

}  // namespace weir::dialects
