#include "weir/dialects.h"

#include "base/json.h"
#include "base/text.h"

namespace weir::dialects {
namespace {

void WriteOrNull(json::Writer* writer, std::string_view text) {
  if (text.empty()) {
    writer->Null();
  } else {
    writer->String(text);
  }
}

// A segment that is only dots would walk up the path, however it is spelled: the dots are encoded
// twice, so that what the server decodes is no step.
std::string PathSegment(std::string_view text) {
  if (text == "." || text == "..") return PercentEncode(text == "." ? "%2E" : "%2E%2E");
  return PercentEncode(text);
}

}  // namespace

std::optional<Dialect> DialectFromName(std::string_view name) {
  if (name == "openai") return Dialect::kOpenAi;
  if (name == "azure-openai") return Dialect::kAzureOpenAi;
  return std::nullopt;
}

std::string_view DialectName(Dialect dialect) {
  switch (dialect) {
    case Dialect::kOpenAi:
      return "openai";
    case Dialect::kAzureOpenAi:
      return "azure-openai";
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

// Both dialects so far have one shape; a dialect with another gets its own writer here.
std::string ErrorBody(Dialect /*dialect*/, std::string_view message, std::string_view type,
                      std::string_view param, std::string_view code) {
  std::string body;
  json::Writer writer(&body);
  writer.BeginObject().Key("error").BeginObject();
  writer.Key("message").String(message).Key("type").String(type).Key("param");
  WriteOrNull(&writer, param);
  writer.Key("code");
  WriteOrNull(&writer, code);
  writer.EndObject().EndObject();
  return body;
}

std::string ErrorEvent(Dialect dialect, std::string_view message, std::string_view type,
                       std::string_view code) {
  return Concat({"data: ", ErrorBody(dialect, message, type, "", code), "\n\n"});
}

std::string ChatTarget(Dialect dialect, std::string_view model, std::string_view api_version) {
  if (dialect == Dialect::kOpenAi) return "/v1/chat/completions";
  std::string target = Concat({"/openai/deployments/", PathSegment(model), "/chat/completions"});
  if (!api_version.empty()) {
    target.append("?api-version=").append(PercentEncode(api_version));
  }
  return target;
}

}  // namespace weir::dialects
