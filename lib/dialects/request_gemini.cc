// Requests in Google's dialect: generateContent and embedContent, of the Gemini API and Vertex AI.
//
// Its JSON is proto3's: every field has two spellings, maxOutputTokens and max_output_tokens.

#include <array>

#include "dialects/request_reader.h"

namespace weir::dialects {
namespace {

using json::Value;

constexpr Place kBody;

struct Names {
  std::string_view camel, snake;
};
constexpr Names kConfig = {"generationConfig", "generation_config"};
constexpr Names kMaxOutput = {"maxOutputTokens", "max_output_tokens"};
constexpr Names kCandidates = {"candidateCount", "candidate_count"};
constexpr Names kSystem = {"systemInstruction", "system_instruction"};

// The member under either name, in *value; both at once are one field said twice.
bool Find(Value object, const Place& place, const Names& names, RequestReader* reader,
          Value* value) {
  const Value camel = object[names.camel];
  const Value snake = object[names.snake];
  if (camel && snake) {
    return reader->Fail(Place(place, names.snake), "This parameter appears in two spellings:", ".");
  }
  *value = camel ? camel : snake;
  return true;
}

bool Content(Value content, const Place& place, RequestReader* reader) {
  const Place parts(place, "parts");
  return reader->Typed(content["role"], Place(place, "role"), kNull | kText) &&
         reader->Typed(content["parts"], parts, kNull | kList) &&
         reader->Objects(content["parts"], parts, [](Value, const Place&) { return true; });
}

bool Config(Value config, RequestReader* reader) {
  if (!config) return true;
  Request& request = reader->request();
  const Place place(kBody, config.key());
  if (!reader->Typed(config, place, kNull | kObject)) return false;
  request.config_value = SpanOf(config);
  request.snake_case = config.key() == kConfig.snake;
  Value max_output;
  Value candidates;
  if (!Find(config, place, kMaxOutput, reader, &max_output) ||
      !Find(config, place, kCandidates, reader, &candidates)) {
    return false;
  }
  std::optional<uint64_t> n;
  if (max_output && !reader->MaxOutput(max_output, Place(place, max_output.key()), 1)) {
    return false;
  }
  if (candidates && !reader->Count(candidates, Place(place, candidates.key()), 1, &n)) {
    return false;
  }
  request.n = n.value_or(1);
  return true;
}

}  // namespace

bool ReadGeminiGenerate(Value root, RequestReader* reader) {
  Value config;
  Value system;
  if (!Find(root, kBody, kConfig, reader, &config) ||
      !Find(root, kBody, kSystem, reader, &system) || !Config(config, reader)) {
    return false;
  }
  if (system && !(reader->Typed(system, Place(kBody, system.key()), kNull | kObject) &&
                  Content(system, Place(kBody, system.key()), reader))) {
    return false;
  }
  const Value contents = root["contents"];
  const Place place(kBody, "contents");
  return reader->Typed(root["tools"], Place(kBody, "tools"), kNull | kList) &&
         reader->Needed(contents, place, kList) &&
         reader->Objects(contents, place, [reader](Value content, const Place& at) {
           return Content(content, at, reader);
         });
}

// One content, or a batch of requests that have one each.
bool ReadGeminiEmbed(Value root, RequestReader* reader) {
  const Value requests = root["requests"];
  const Place list(kBody, "requests");
  const auto one = [reader](Value object, const Place& at) {
    const Place place(at, "content");
    const Value content = object["content"];
    return reader->Needed(content, place, kObject) && Content(content, place, reader);
  };
  if (!requests) return one(root, kBody);
  return reader->Typed(requests, list, kList) && reader->Objects(requests, list, one);
}

}  // namespace weir::dialects
