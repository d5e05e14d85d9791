#include "upstream/stats.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace upstream {

void Stats::Add(int64_t* counter) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++*counter;
}

void Stats::SawCredential(std::string_view header, std::string_view value) {
  const std::lock_guard<std::mutex> lock(mutex_);
  (header == "api-key" ? api_key_ : authorization_) = value;
}

void Stats::Answered(const Exchange& exchange) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++(exchange.finished ? answered_ : cut_);
  prompt_tokens_ += exchange.prompt_tokens;
  completion_tokens_ += exchange.completion_tokens;
  last_ = exchange;
}

std::string Stats::Json(std::string_view control) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto number = [&](const char* name, int64_t value) {
    json.Key(name);
    json.Int64(value);
  };
  json.StartObject();
  number("requests", requests_);
  number("answered", answered_);
  number("cut", cut_);
  number("throttled", throttled_);
  number("failed", failed_);
  number("refused_credentials", refused_credentials_);
  number("billed_prompt_tokens", prompt_tokens_);
  number("billed_completion_tokens", completion_tokens_);
  number("billed_tokens", prompt_tokens_ + completion_tokens_);
  json.Key("last");
  json.StartObject();
  number("last_prompt_tokens", last_.prompt_tokens);
  number("last_completion_tokens", last_.completion_tokens);
  json.Key("stream");
  json.Bool(last_.stream);
  json.Key("finished");
  json.Bool(last_.finished);
  json.EndObject();
  json.Key("credentials");
  json.StartObject();
  json.Key("authorization");
  json.String(authorization_.c_str());
  json.Key("api-key");
  json.String(api_key_.c_str());
  json.EndObject();
  json.Key("control");
  json.RawValue(control.data(), control.size(), rapidjson::kObjectType);
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace upstream
