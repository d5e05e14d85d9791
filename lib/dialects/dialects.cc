#include "weir/dialects.h"

namespace weir::dialects {
std::optional<Dialect> DialectFromName(std::string_view name) {
  for (Dialect dialect : {Dialect::kOpenAi, Dialect::kAzureOpenAi, Dialect::kAnthropic,
                          Dialect::kGemini, Dialect::kBedrock}) {
    if (name == DialectName(dialect)) return dialect;
  }
  return std::nullopt;
}

std::string_view DialectName(Dialect dialect) {
  switch (dialect) {
    case Dialect::kOpenAi:
      return "openai";
    case Dialect::kAzureOpenAi:
      return "azure-openai";
    case Dialect::kAnthropic:
      return "anthropic";
    case Dialect::kGemini:
      return "gemini";
    case Dialect::kBedrock:
      return "bedrock";
  }
  return "";
}

bool SameFamily(Dialect a, Dialect b) {
  const auto family = [](Dialect dialect) {
    return dialect == Dialect::kAzureOpenAi ? Dialect::kOpenAi : dialect;
  };
  return family(a) == family(b);
}

std::string_view OperationName(Operation operation) {
  switch (operation) {
    case Operation::kChat:
      return "chat";
    case Operation::kResponses:
      return "responses";
    case Operation::kCompletions:
      return "completions";
    case Operation::kEmbeddings:
      return "embeddings";
  }
  return "";
}

std::string_view ProvenanceName(Provenance provenance) {
  switch (provenance) {
    case Provenance::kExact:
      return "exact";
    case Provenance::kProvider:
      return "provider";
    case Provenance::kEstimated:
      return "estimated";
    case Provenance::kUpperBound:
      return "upper_bound";
  }
  return "";
}

}  // namespace weir::dialects
