#include "upstream/options.h"

#include "common/flags.h"

namespace upstream {

using examples::Flag;
using examples::NumberFlag;
using examples::SwitchFlag;
using examples::TextFlag;

const char kUsage[] =
    R"(weir_upstream: a simulated LLM provider, for trying out gateways.

  weir_upstream --key KEY [options]

  --host ADDRESS        listen here (127.0.0.1)
  --port PORT           0 = any free port, printed (8000)
  --dialect NAME        openai:       POST /v1/chat/completions, Authorization: Bearer KEY
                        azure-openai: POST /openai/deployments/{model}/chat/completions
                                      ?api-version=..., api-key: KEY           (openai)
  --key KEY             the credential that callers must send
  --tpm TOKENS          quota of tokens per window, 429 beyond it (0 = none)
  --window SECONDS      the quota's sliding window (60)
  --seed N              same seed and same prompt: same answer (1)
  --answer-tokens N     length of every answer (0 = 24 to 56, from seed and prompt)
  --chunk-delay MS      pause between two events of a stream (5)
  --threads N           connections served at once (64)
  --fault KIND[=VALUE]  start with this fault; may be given several times:
      latency=200ms           answer later
      slow-first-byte=500ms   send the head, and the first byte of the body later
      status=500              answer with this status
      throttle[=2s]           answer 429 with this retry-after
      reset[=K]               break the connection after K pieces of the answer (3)
      stall[=K]               fall silent after K pieces, connection open (3)
      malformed[=K]           one broken event after K pieces (3)
      stream-error[=K]        an error object inside the 200 stream after K pieces (3)
  --help, --version

A request brings its own faults in the header x-upstream-fault: KIND[=VALUE][, KIND[=VALUE]].
At run time:
  POST /_control  {"faults": ["status=500"], "tpm": 600}   replaces either; {"faults": []} ends them
  GET  /_stats    what was asked, answered and billed, as JSON
)";

std::string ParseOptions(int argc, char** argv, Options* options) {
  const Flag dialect = {"--dialect", true, [=](const std::string& value) -> std::string {
                          if (value == "openai") {
                            options->dialect = Dialect::kOpenAi;
                          } else if (value == "azure-openai") {
                            options->dialect = Dialect::kAzureOpenAi;
                          } else {
                            return "expected openai or azure-openai, not \"" + value + "\"";
                          }
                          return "";
                        }};
  const Flag fault = {"--fault", true,
                      [=](const std::string& value) { return options->faults.Add(value); }};
  std::string error = examples::ParseFlags(
      argc, argv,
      {TextFlag("--host", &options->host), NumberFlag("--port", 0, 65535, &options->port), dialect,
       TextFlag("--key", &options->key),
       NumberFlag("--tpm", 0, 1'000'000'000, &options->tokens_per_window),
       NumberFlag("--window", 1, 3600, &options->window_s),
       NumberFlag("--seed", 0, INT64_MAX, &options->seed),
       NumberFlag("--answer-tokens", 0, 100'000, &options->answer_tokens),
       NumberFlag("--chunk-delay", 0, 60'000, &options->chunk_delay_ms),
       NumberFlag("--threads", 1, 4096, &options->threads), fault,
       SwitchFlag("--help", &options->help), SwitchFlag("--version", &options->version)});
  if (!error.empty() || options->help || options->version) return error;
  if (options->key.empty()) return "--key is missing: give the credential that callers must send";
  return "";
}

}  // namespace upstream
