#include "upstream/wire.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace upstream {
namespace {

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;

void Text(JsonWriter* json, std::string_view text) {
  json->String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void Field(JsonWriter* json, std::string_view name, std::string_view value) {
  Text(json, name);
  Text(json, value);
}

void Field(JsonWriter* json, std::string_view name, int64_t value) {
  Text(json, name);
  json->Int64(value);
}

void Name(JsonWriter* json, std::string_view name) { Text(json, name); }

// Azure reports its content filter on every text; here it never finds anything.
void FilterResults(JsonWriter* json, std::string_view name) {
  Name(json, name);
  json->StartObject();
  for (const std::string_view category : {"hate", "self_harm", "sexual", "violence"}) {
    Name(json, category);
    json->StartObject();
    Name(json, "filtered");
    json->Bool(false);
    Field(json, "severity", "safe");
    json->EndObject();
  }
  json->EndObject();
}

void PromptFilterResults(JsonWriter* json) {
  Name(json, "prompt_filter_results");
  json->StartArray();
  json->StartObject();
  Field(json, "prompt_index", int64_t{0});
  FilterResults(json, "content_filter_results");
  json->EndObject();
  json->EndArray();
}

void Usage(JsonWriter* json, const Answer& answer) {
  Name(json, "usage");
  json->StartObject();
  Field(json, "prompt_tokens", answer.request->prompt_tokens);
  Field(json, "completion_tokens", answer.completion_tokens());
  Field(json, "total_tokens", answer.request->prompt_tokens + answer.completion_tokens());
  Name(json, "prompt_tokens_details");
  json->StartObject();
  Field(json, "cached_tokens", int64_t{0});
  json->EndObject();
  Name(json, "completion_tokens_details");
  json->StartObject();
  Field(json, "reasoning_tokens", int64_t{0});
  json->EndObject();
  json->EndObject();
}

std::string_view FinishReason(const Choice& choice) {
  return choice.cut_by_max_tokens ? "length" : "stop";
}

std::string AsEvent(const rapidjson::StringBuffer& buffer) {
  return "data: " + std::string(buffer.GetString(), buffer.GetSize()) + "\n\n";
}

// What every chunk of a stream has around its choices.
template <typename Choices>
std::string Chunk(const Answer& answer, const Choices& write_choices) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  Field(&json, "id", answer.id);
  Field(&json, "object", "chat.completion.chunk");
  Field(&json, "created", answer.created_unix_s);
  Field(&json, "model", answer.request->model);
  Field(&json, "system_fingerprint", "fp_simulated");
  Name(&json, "choices");
  json.StartArray();
  write_choices(&json);
  json.EndArray();
  if (answer.request->include_usage) {
    Name(&json, "usage");
    json.Null();
  }
  json.EndObject();
  return AsEvent(buffer);
}

// A chunk with one choice; `content` null is the empty delta before the end.
std::string ChoiceChunk(const Answer& answer, int64_t index, const std::string* content,
                        bool with_role, std::string_view finish_reason) {
  return Chunk(answer, [&](JsonWriter* json) {
    json->StartObject();
    Field(json, "index", index);
    Name(json, "delta");
    json->StartObject();
    if (with_role) Field(json, "role", "assistant");
    if (content != nullptr) Field(json, "content", *content);
    json->EndObject();
    Name(json, "logprobs");
    json->Null();
    Name(json, "finish_reason");
    if (finish_reason.empty()) {
      json->Null();
    } else {
      Text(json, finish_reason);
    }
    if (answer.dialect == Dialect::kAzureOpenAi) FilterResults(json, "content_filter_results");
    json->EndObject();
  });
}

std::string AzureOpening() {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  Name(&json, "choices");
  json.StartArray();
  json.EndArray();
  Field(&json, "created", int64_t{0});
  Field(&json, "id", "");
  Field(&json, "model", "");
  Field(&json, "object", "");
  PromptFilterResults(&json);
  json.EndObject();
  return AsEvent(buffer);
}

std::string UsageChunk(const Answer& answer) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  Field(&json, "id", answer.id);
  Field(&json, "object", "chat.completion.chunk");
  Field(&json, "created", answer.created_unix_s);
  Field(&json, "model", answer.request->model);
  Name(&json, "choices");
  json.StartArray();
  json.EndArray();
  Usage(&json, answer);
  json.EndObject();
  return AsEvent(buffer);
}

}  // namespace

std::string_view DialectName(Dialect dialect) {
  return dialect == Dialect::kOpenAi ? "openai" : "azure-openai";
}

int64_t Answer::completion_tokens() const {
  int64_t tokens = 0;
  for (const Choice& choice : choices) tokens += choice.Tokens();
  return tokens;
}

std::string CompletionBody(const Answer& answer) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  Field(&json, "id", answer.id);
  Field(&json, "object", "chat.completion");
  Field(&json, "created", answer.created_unix_s);
  Field(&json, "model", answer.request->model);
  Field(&json, "system_fingerprint", "fp_simulated");
  if (answer.dialect == Dialect::kAzureOpenAi) PromptFilterResults(&json);
  Name(&json, "choices");
  json.StartArray();
  for (size_t i = 0; i < answer.choices.size(); ++i) {
    json.StartObject();
    Field(&json, "index", static_cast<int64_t>(i));
    Name(&json, "message");
    json.StartObject();
    Field(&json, "role", "assistant");
    Field(&json, "content", answer.choices[i].Text());
    json.EndObject();
    Field(&json, "finish_reason", FinishReason(answer.choices[i]));
    if (answer.dialect == Dialect::kAzureOpenAi) FilterResults(&json, "content_filter_results");
    json.EndObject();
  }
  json.EndArray();
  Usage(&json, answer);
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::vector<Event> StreamEvents(const Answer& answer) {
  const std::string empty;
  std::vector<Event> events;
  if (answer.dialect == Dialect::kAzureOpenAi) events.push_back({AzureOpening()});
  size_t longest = 0;
  for (size_t i = 0; i < answer.choices.size(); ++i) {
    events.push_back({ChoiceChunk(answer, static_cast<int64_t>(i), &empty, true, "")});
    longest = std::max(longest, answer.choices[i].pieces.size());
  }
  // Choices take turns, as they do in a real answer with n > 1.
  for (size_t piece = 0; piece < longest; ++piece) {
    for (size_t i = 0; i < answer.choices.size(); ++i) {
      const Choice& choice = answer.choices[i];
      if (piece >= choice.pieces.size()) continue;
      events.push_back(
          {ChoiceChunk(answer, static_cast<int64_t>(i), &choice.pieces[piece], false, ""),
           choice.piece_tokens[piece]});
    }
  }
  for (size_t i = 0; i < answer.choices.size(); ++i) {
    events.push_back({ChoiceChunk(answer, static_cast<int64_t>(i), nullptr, false,
                                  FinishReason(answer.choices[i]))});
  }
  if (answer.request->include_usage) events.push_back({UsageChunk(answer)});
  events.push_back({"data: [DONE]\n\n"});
  return events;
}

std::string ErrorBody(Dialect dialect, int status, std::string_view message) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  Name(&json, "error");
  json.StartObject();
  if (dialect == Dialect::kAzureOpenAi) {
    Field(&json, "code", std::to_string(status));
    Field(&json, "message", message);
  } else {
    Field(&json, "message", message);
    std::string_view type = "invalid_request_error";
    if (status == 429) type = "tokens";
    if (status >= 500) type = "server_error";
    Field(&json, "type", type);
    Name(&json, "param");
    json.Null();
    Name(&json, "code");
    if (status == 429) {
      Text(&json, "rate_limit_exceeded");
    } else if (status == 401) {
      Text(&json, "invalid_api_key");
    } else {
      json.Null();
    }
  }
  json.EndObject();
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string ThrottleBody(Dialect dialect, std::chrono::milliseconds retry_after) {
  const std::string wait = std::to_string(retry_after.count()) + "ms";
  const std::string message =
      dialect == Dialect::kAzureOpenAi
          ? "The token rate limit of this deployment was exceeded. Retry after " + wait + "."
          : "Rate limit reached on tokens per min (TPM). Try again in " + wait + ".";
  return ErrorBody(dialect, 429, message);
}

}  // namespace upstream
