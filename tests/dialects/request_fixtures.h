// Requests of every dialect and operation, written for these tests, and what they say.

#ifndef WEIR_TESTS_DIALECTS_REQUEST_FIXTURES_H_
#define WEIR_TESTS_DIALECTS_REQUEST_FIXTURES_H_

#include <optional>
#include <string>
#include <vector>

#include "weir/dialects.h"

namespace weir::dialects::testing {

struct RequestFixture {
  Dialect dialect = Dialect::kOpenAi;
  Operation operation = Operation::kChat;
  std::string target{};
  std::string body{};
  // What it says.
  RecycledString model{};
  bool stream = false;
  bool include_usage = false;
  std::optional<uint64_t> max_output_tokens{};
  uint64_t n = 1;
  RecycledString user{};
};

inline const std::string kDeployment = "/openai/deployments/gpt-4o/chat/completions?api-version=1";
inline const std::string kGenerate = "/v1beta/models/gemini-2.5-pro:generateContent";
inline const std::string kConverse = "/model/amazon.nova-micro-v1%3A0/converse";

inline std::vector<RequestFixture> ChatFixtures() {
  const std::string target = "/v1/chat/completions";
  return {
      {.target = target,
       .body = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})",
       .model = "m"},
      {.target = target,
       .body = R"( { "messages" : [ {"role":"system","content":"be brief"},
          {"role":"user","name":"ann","content":[{"type":"text","text":"what is this?"},
           {"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},
           {"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}},
           {"type":"file","file":{"file_id":"f"}},{"type":"text","text":"\u00e9 \ud83d\ude00"}]},
          {"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function",
           "function":{"name":"sum","arguments":"{\"x\":1}"}}]},
          {"role":"tool","tool_call_id":"t1","content":"2"} ],
         "tools":[{"type":"function","function":{"name":"sum","parameters":{"type":"object"}}}],
         "tool_choice":"auto","response_format":{"type":"json_object"},
         "stream":true , "stream_options" : { "include_usage" : false },"n":2,
         "max_tokens":100,"max_completion_tokens":50,"temperature":0.7,"seed":-1,"user":"u7",
         "logit_bias":{"50256":-100},"model":"gpt-x" } )",
       .model = "gpt-x",
       .stream = true,
       .max_output_tokens = 50,
       .n = 2,
       .user = "u7"},
      {.target = target,
       .body =
           R"({"stream":true,"stream_options":{},"messages":[{"role":"user","content":""}],
               "model":null,"functions":[{"name":"f"}],"function_call":"none","max_tokens":null,
               "n":null,"user":null,"safety_identifier":"s1"})",
       .stream = true,
       .user = "s1"},
      {.target = target,
       .body = R"({"stream":true,"stream_options":null,"messages":[],"max_tokens":9})",
       .stream = true,
       .max_output_tokens = 9},
      {.target = target,
       .body = R"({"stream":true,"stream_options":{"x":1},"messages":[{"role":"assistant",
          "content":"","function_call":{"name":"f","arguments":"{}"},"refusal":"no"}],
          "max_completion_tokens":null,"max_tokens":5})",
       .stream = true,
       .max_output_tokens = 5},
      {.target = target,
       .body = R"({"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":
          false},"messages":[{"role":"developer","content":[{"type":"refusal","refusal":"no"}]}],
          "model":"gpt-5","reasoning_effort":"low","max_completion_tokens":1099511627776})",
       .model = "gpt-5",
       .stream = true,
       .include_usage = true,
       .max_output_tokens = kMaxTokens},
      {.dialect = Dialect::kAzureOpenAi,
       .target = kDeployment,
       .body = R"({"messages":[{"role":"user","content":"hi"}],"model":"ignored"})",
       .model = "gpt-4o"},
      {.dialect = Dialect::kAzureOpenAi,
       .target = "/openai/v1/chat/completions",
       .body = R"({"model":"my-deployment","messages":[],"data_sources":[{"type":"x"}]})",
       .model = "my-deployment"},
  };
}

inline std::vector<RequestFixture> OtherOpenAiFixtures() {
  const std::string responses = "/v1/responses";
  const std::string completions = "/v1/completions";
  const std::string embeddings = "/v1/embeddings";
  return {
      {.operation = Operation::kResponses,
       .target = responses,
       .body = R"({"model":"gpt-5","input":"hi","instructions":"be brief","user":"u"})",
       .model = "gpt-5",
       .user = "u"},
      {.operation = Operation::kResponses,
       .target = responses,
       .body = R"({"input":[{"role":"user","content":[{"type":"input_text","text":"a"},
          {"type":"input_image","image_url":"https://x.test/i.png","detail":"low"}]},
          {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
          {"type":"function_call_output","call_id":"c","output":"1"},
          {"type":"reasoning","id":"r","summary":[],"content":null}],"model":"gpt-5",
          "stream":true,"stream_options":{"include_obfuscation":false},"max_output_tokens":16,
          "tools":[{"type":"web_search"}],"text":{"format":{"type":"text"}},"store":false})",
       .model = "gpt-5",
       .stream = true,
       .max_output_tokens = 16},
      {.operation = Operation::kResponses,
       .target = "",
       .body = R"({"prompt":{"id":"p1"},"previous_response_id":"r1","input":null})"},
      {.operation = Operation::kResponses, .target = responses, .body = "{ }"},
      {.dialect = Dialect::kAzureOpenAi,
       .operation = Operation::kResponses,
       .target = "/openai/responses?api-version=2025-04-01-preview",
       .body = R"({"model":"dep","input":[]})",
       .model = "dep"},
      {.operation = Operation::kCompletions,
       .target = completions,
       .body = R"({"model":"davinci-002","prompt":["a","b","c"],"n":2,"best_of":4,"max_tokens":7,
          "stream":true,"suffix":null,"echo":true})",
       .model = "davinci-002",
       .stream = true,
       .max_output_tokens = 7,
       .n = 12},
      {.operation = Operation::kCompletions,
       .target = completions,
       .body = R"({"prompt":[1,2,3],"max_tokens":0,"model":"m","best_of":null})",
       .model = "m",
       .max_output_tokens = 0},
      {.operation = Operation::kCompletions,
       .target = completions,
       .body = R"({"prompt":[[1,2],[3]],"n":3,"stream":false,"stream_options":null})",
       .n = 6},
      {.operation = Operation::kCompletions, .target = completions, .body = R"({"prompt":""})"},
      {.dialect = Dialect::kAzureOpenAi,
       .operation = Operation::kCompletions,
       .target = "/openai/deployments/gpt-35-turbo-instruct/completions?api-version=1",
       .body = R"({"prompt":"x","stream":true})",
       .model = "gpt-35-turbo-instruct",
       .stream = true},
      {.operation = Operation::kEmbeddings,
       .target = embeddings,
       .body = R"({"model":"text-embedding-3-small","input":"a","encoding_format":"base64"})",
       .model = "text-embedding-3-small"},
      {.operation = Operation::kEmbeddings,
       .target = embeddings,
       .body = R"({"input":["a","b"],"dimensions":512,"user":"u","model":"e"})",
       .model = "e",
       .user = "u"},
      {.operation = Operation::kEmbeddings,
       .target = embeddings,
       .body = R"({"input":[[1,2],[3]],"model":"e"})",
       .model = "e"},
  };
}

inline std::vector<RequestFixture> AnthropicFixtures() {
  const RequestFixture base = {.dialect = Dialect::kAnthropic, .target = "/v1/messages?beta=true"};
  std::vector<RequestFixture> fixtures(4, base);
  fixtures[0].body = R"({"model":"claude-sonnet-4-5","max_tokens":1024,
      "messages":[{"role":"user","content":"hi"}]})";
  fixtures[0].model = "claude-sonnet-4-5";
  fixtures[0].max_output_tokens = 1024;
  fixtures[1].body = R"({"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
      "messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":
      {"type":"base64","media_type":"image/png","data":"AA=="}}]},{"role":"assistant","content":[
      {"type":"thinking","thinking":"hm","signature":"x"},{"type":"tool_use","id":"t","name":"f",
      "input":{"a":[1,{"b":null}]}}]},{"role":"user","content":[{"type":"tool_result",
      "tool_use_id":"t","content":"1"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],
      "metadata":{"user_id":"u-1"},"stream":true,"thinking":{"type":"enabled",
      "budget_tokens":2048},"max_tokens":4096,"model":"claude-opus-4"})";
  fixtures[1].model = "claude-opus-4";
  fixtures[1].stream = true;
  fixtures[1].max_output_tokens = 4096;
  fixtures[1].user = "u-1";
  fixtures[2].body = R"({"messages":[],"model":"c","system":"s","max_tokens":0,"metadata":{}})";
  fixtures[2].model = "c";
  fixtures[2].max_output_tokens = 0;
  fixtures[3].body = R"({"messages":[{"role":"user","content":[]}],"metadata":null,"tools":null})";
  return fixtures;
}

inline std::vector<RequestFixture> GeminiFixtures() {
  RequestFixture base = {
      .dialect = Dialect::kGemini, .target = kGenerate, .model = "gemini-2.5-pro"};
  std::vector<RequestFixture> fixtures(7, base);
  fixtures[0].body = R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})";
  fixtures[1].target = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse";
  fixtures[1].body = R"({"contents":[{"parts":[{"text":"a"},{"inline_data":{"mime_type":
      "image/png","data":"AA=="}}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":
      {}}}]}],"systemInstruction":{"role":"user","parts":[{"text":"s"}]},"generationConfig":{
      "maxOutputTokens":800,"candidateCount":2,"thinkingConfig":{"includeThoughts":true}},
      "tools":[{"functionDeclarations":[{"name":"f"}]}]})";
  fixtures[1].stream = true;
  fixtures[1].max_output_tokens = 800;
  fixtures[1].n = 2;
  fixtures[2].body = R"({"contents":[],"generation_config":{"max_output_tokens":"64",
      "candidate_count":"3"},"system_instruction":{"parts":[]}})";
  fixtures[2].max_output_tokens = 64;
  fixtures[2].n = 3;
  fixtures[3].body = R"({"contents":[{}],"generationConfig":{ },"tools":null})";
  fixtures[4].body = R"({"generationConfig":null,"contents":[]})";
  fixtures[5].target =
      "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent";
  fixtures[5].body = R"({"contents":[],"generation_config":{"maxOutputTokens":null}})";
  fixtures[6].operation = Operation::kEmbeddings;
  fixtures[6].target = "/v1beta/models/gemini-embedding-001:batchEmbedContents";
  fixtures[6].model = "gemini-embedding-001";
  fixtures[6].body = R"({"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[
      {"text":"a"}]}},{"content":{"parts":[]}}]})";
  fixtures.push_back(fixtures[6]);
  fixtures.back().target = "/v1beta/models/gemini-embedding-001:embedContent";
  fixtures.back().body = R"({"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY"})";
  return fixtures;
}

inline std::vector<RequestFixture> BedrockFixtures() {
  RequestFixture base = {
      .dialect = Dialect::kBedrock, .target = kConverse, .model = "amazon.nova-micro-v1:0"};
  std::vector<RequestFixture> fixtures(8, base);
  fixtures[0].body = R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})";
  fixtures[1].target = "/model/amazon.nova-micro-v1%3A0/converse-stream";
  fixtures[1].body = R"({"messages":[{"role":"user","content":[{"text":"a"},{"image":{"format":
      "png","source":{"bytes":"AA=="}}}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":
      "t","name":"f","input":{}}}]}],"system":[{"text":"s"}],"inferenceConfig":{"maxTokens":300,
      "temperature":0.5},"toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]}})";
  fixtures[1].stream = true;
  fixtures[1].max_output_tokens = 300;
  fixtures[2].body = R"({"messages":[],"inferenceConfig":{}})";
  fixtures[3].body = R"({"inferenceConfig":null,"promptVariables":{"a":{"text":"b"}}})";
  fixtures[4].target = "/model/us.anthropic.claude-3-5-sonnet-20240620-v1:0/invoke";
  fixtures[4].model = "us.anthropic.claude-3-5-sonnet-20240620-v1:0";
  fixtures[4].body = R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":1000,"messages":[
      {"role":"user","content":[{"type":"text","text":"a"}]}]})";
  fixtures[4].max_output_tokens = 1000;
  fixtures[5].target = "/model/amazon.nova-micro-v1%3A0/invoke-with-response-stream";
  fixtures[5].body = R"({"messages":[{"role":"user","content":[{"text":"a"}]}],"schemaVersion":
      "messages-v1","inferenceConfig":{"max_new_tokens":1000}})";
  fixtures[5].stream = true;
  fixtures[5].max_output_tokens = 1000;
  fixtures[6].target = "/model/cohere.command-light-text-v14/invoke";
  fixtures[6].model = "cohere.command-light-text-v14";
  fixtures[6].body = R"({"prompt":"a","max_tokens":10,"num_generations":2,"k":0})";
  fixtures[6].max_output_tokens = 10;
  fixtures[6].n = 2;
  fixtures[7].operation = Operation::kEmbeddings;
  fixtures[7].target = "/model/amazon.titan-embed-text-v2%3A0/invoke";
  fixtures[7].model = "amazon.titan-embed-text-v2:0";
  fixtures[7].body = R"({"inputText":"a"})";
  return fixtures;
}

inline std::vector<RequestFixture> AllRequestFixtures() {
  std::vector<RequestFixture> all = ChatFixtures();
  for (const auto& more :
       {OtherOpenAiFixtures(), AnthropicFixtures(), GeminiFixtures(), BedrockFixtures()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace weir::dialects::testing

#endif  // WEIR_TESTS_DIALECTS_REQUEST_FIXTURES_H_
