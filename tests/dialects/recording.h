// Bodies recorded from real providers, when they lie beside the project, and what their list says
// that they state.

#ifndef WEIR_TESTS_DIALECTS_RECORDING_H_
#define WEIR_TESTS_DIALECTS_RECORDING_H_

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "tests/dialects/support.h"
#include "tests/support/shared_data.h"

namespace weir::dialects::testing {

struct Recording {
  std::string file, bytes, features;
  int status = 0;
  Origin origin;
  std::string stated;  // the provider's own words, JSON; empty when it states nothing

  bool Has(std::string_view feature) const {
    return Concat({",", features, ","}).find(Concat({",", feature, ","})) != std::string::npos;
  }
};

inline bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

inline Origin OriginOf(const std::string& file) {
  Origin origin;
  const std::string folder = file.substr(0, file.find('/'));
  if (folder == "anthropic" || file.find("edge/kong__anthropic") == 0 ||
      file.find("edge/agentgateway__anthropic") == 0) {
    origin.dialect = Dialect::kAnthropic;
  } else if (folder == "gemini") {
    origin.dialect = Dialect::kGemini;
  } else if (folder == "bedrock") {
    origin.dialect = Dialect::kBedrock;
  } else if (folder == "azure_openai" || folder == "azure_responses") {
    origin.dialect = Dialect::kAzureOpenAi;
  }
  if (EndsWith(folder, "_responses")) origin.operation = Operation::kResponses;
  if (EndsWith(folder, "_completions")) origin.operation = Operation::kCompletions;
  if (EndsWith(folder, "_embeddings")) origin.operation = Operation::kEmbeddings;
  origin.kind = EndsWith(file, ".sse")    ? BodyKind::kSse
                : EndsWith(file, ".bin")  ? BodyKind::kEventStream
                : EndsWith(file, ".json") ? BodyKind::kJson
                                          : BodyKind::kOther;
  return origin;
}

// All of them; none when they are not there.
inline std::vector<Recording> Recordings() {
  std::vector<Recording> recordings;
  const auto manifest = weir::testing::SharedData("streams/MANIFEST.tsv");
  if (!manifest) return recordings;
  std::istringstream lines(*manifest);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::vector<std::string> columns(1);
    for (char c : line) {
      if (c == '\t') {
        columns.emplace_back();
      } else {
        columns.back().push_back(c);
      }
    }
    Recording recording;
    recording.file = columns.at(0);
    recording.status = std::stoi(Concat({"0", columns.at(1)}));
    const std::string& quoted = columns.at(8);
    for (size_t i = 1; i + 1 < quoted.size(); ++i) {
      recording.stated.push_back(quoted[i]);
      if (quoted[i] == '"') ++i;  // doubled
    }
    recording.features = columns.at(9);
    recording.origin = OriginOf(recording.file);
    const auto bytes = weir::testing::SharedData("streams/" + recording.file);
    if (bytes) recording.bytes = *bytes;
    recordings.push_back(recording);
  }
  return recordings;
}

using Count = std::optional<uint64_t>;

inline Count Plus(const Count& a, const Count& b) {
  return a ? Count(*a + b.value_or(0)) : std::nullopt;
}
inline Count Or(const Count& a, const Count& b) { return a ? a : b; }

// The canonical usage, from the provider's own words: written down once more, without the reader.
class Oracle {
 public:
  Usage Read(const Recording& recording) {
    // The list leaves this one's out.
    if (recording.file == "bedrock/apisix__converse_stream.bin") {
      return {.prompt = 13, .completion = 5, .reported_total = 18};
    }
    if (recording.stated.empty() || !document_.Parse(recording.stated)) return {};
    const json::Value root = document_.root();
    switch (recording.origin.dialect) {
      case Dialect::kAnthropic:
        Anthropic(root);
        break;
      case Dialect::kGemini:
        Gemini(root);
        break;
      case Dialect::kBedrock:
        Bedrock(root);
        break;
      default:
        OpenAi(root, recording.origin.operation);
    }
    Clamp(usage_.prompt, &usage_.cached);
    Clamp(usage_.completion, &usage_.reasoning);
    return usage_;
  }

 private:
  void OpenAi(json::Value root, Operation operation) {
    const json::Value in = Either(root["prompt_tokens_details"], root["input_tokens_details"]);
    const json::Value out =
        Either(root["completion_tokens_details"], root["output_tokens_details"]);
    usage_.prompt = Or(root["prompt_tokens"].Uint(), root["input_tokens"].Uint());
    usage_.completion = Or(root["completion_tokens"].Uint(), root["output_tokens"].Uint());
    if (operation == Operation::kEmbeddings) usage_.completion = 0;
    usage_.cached = in["cached_tokens"].Uint();
    usage_.cache_write = in["cache_write_tokens"].Uint();
    usage_.audio_prompt = in["audio_tokens"].Uint();
    usage_.reasoning = out["reasoning_tokens"].Uint();
    usage_.audio_completion = out["audio_tokens"].Uint();
    usage_.accepted_prediction = out["accepted_prediction_tokens"].Uint();
    usage_.rejected_prediction = out["rejected_prediction_tokens"].Uint();
    usage_.reported_total = root["total_tokens"].Uint();
  }

  void Anthropic(json::Value root) {
    const json::Value start = root["start"];
    const json::Value last = start ? root["delta"] : root;
    const auto field = [&](std::string_view key) {
      return Or(last[key].Uint(), start[key].Uint());
    };
    usage_.cached = field("cache_read_input_tokens");
    usage_.cache_write = field("cache_creation_input_tokens");
    usage_.prompt = Plus(Plus(field("input_tokens"), usage_.cached), usage_.cache_write);
    usage_.completion = last["output_tokens"].Uint();
    usage_.reasoning = last["output_tokens_details"]["thinking_tokens"].Uint();
  }

  void Gemini(json::Value root) {
    usage_.reasoning = root["thoughtsTokenCount"].Uint();
    usage_.prompt = Plus(root["promptTokenCount"].Uint(), root["toolUsePromptTokenCount"].Uint());
    usage_.completion = Plus(root["candidatesTokenCount"].Uint(), usage_.reasoning);
    usage_.cached = root["cachedContentTokenCount"].Uint();
    usage_.reported_total = root["totalTokenCount"].Uint();
  }

  void Bedrock(json::Value root) {
    const auto field = [&](std::string_view a, std::string_view b, std::string_view c) {
      return Or(Or(root[a].Uint(), root[b].Uint()), root[c].Uint());
    };
    usage_.cached = field("cacheReadInputTokens", "cacheReadInputTokenCount", "");
    usage_.cache_write = field("cacheWriteInputTokens", "cacheWriteInputTokenCount", "");
    usage_.prompt =
        Plus(Plus(field("inputTokens", "inputTokenCount", "input_tokens"), usage_.cached),
             usage_.cache_write);
    usage_.completion = field("outputTokens", "outputTokenCount", "output_tokens");
    usage_.reported_total = root["totalTokens"].Uint();
  }

  static json::Value Either(json::Value a, json::Value b) { return a ? a : b; }

  void Clamp(const Count& whole, Count* part) {
    if (!whole) part->reset();
    if (!*part || **part <= *whole) return;
    *part = whole;
    usage_.anomaly = true;
  }

  json::Document document_;
  Usage usage_;
};

}  // namespace weir::dialects::testing

#endif  // WEIR_TESTS_DIALECTS_RECORDING_H_
