// Paths: what a target asks for, and where to ask for it.

#include <algorithm>

#include "base/text.h"
#include "weir/dialects.h"

namespace weir::dialects {
namespace {

// A segment that is only dots would walk up the path, however it is spelled: the dots are encoded
// twice, so that what the server decodes is no step.
std::string PathSegment(std::string_view text) {
  if (text == "." || text == "..") return PercentEncode(text == "." ? "%2E" : "%2E%2E");
  return PercentEncode(text);
}

// A path's segments from its end.
class Backwards {
 public:
  explicit Backwards(std::string_view path) : path_(path), end_(path.size()) { FindBegin(); }

  std::string_view text() const { return path_.substr(begin_, end_ - begin_); }
  Span span() const { return {begin_, end_}; }
  // The offset of the slash before the text.
  size_t slash() const { return begin_ == 0 ? 0 : begin_ - 1; }
  // Goes to the segment before; the text is empty beyond the first.
  void Step() {
    end_ = slash();
    FindBegin();
  }

 private:
  void FindBegin() {
    const size_t slash = path_.substr(0, end_).rfind('/');
    begin_ = slash == std::string_view::npos ? 0 : slash + 1;
  }

  std::string_view path_;
  size_t begin_ = 0;
  size_t end_;
};

// v1, v1beta, v1beta1, v2alpha: a version as APIs number themselves.
bool IsVersion(std::string_view text) {
  if (text.size() < 2 || text[0] != 'v' || text[1] < '0' || text[1] > '9') return false;
  return std::all_of(text.begin() + 1, text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
}

// Whether a server that decodes the path may see "." or ".." as a step in it.
bool WalksUp(std::string_view path) {
  std::string decoded;
  std::string_view rest = path;
  if (path.find('%') != std::string_view::npos) {
    if (!PercentDecode(path, &decoded)) return true;
    rest = decoded;
  }
  while (true) {
    const size_t slash = std::min(rest.find('/'), rest.find('\\'));
    const std::string_view part = rest.substr(0, slash);
    if (part == "." || part == "..") return true;
    if (slash == std::string_view::npos) return false;
    rest.remove_prefix(slash + 1);
  }
}

bool DecodeModel(std::string_view target, Span span, ParsedTarget* parsed) {
  parsed->model_span = span;
  return span.begin < span.end &&
         PercentDecode(target.substr(span.begin, span.end - span.begin), &parsed->model);
}

std::optional<ParsedTarget> ParseGemini(std::string_view path) {
  Backwards segment(path);
  const std::string_view last = segment.text();
  const size_t colon = last.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view verb = last.substr(colon + 1);
  ParsedTarget parsed;
  parsed.dialect = Dialect::kGemini;
  parsed.stream = verb == "streamGenerateContent";
  if (verb == "embedContent" || verb == "batchEmbedContents") {
    parsed.operation = Operation::kEmbeddings;
  } else if (!parsed.stream && verb != "generateContent") {
    return std::nullopt;
  }
  const Span model = {segment.span().begin, segment.span().begin + colon};
  segment.Step();
  const std::string_view collection = segment.text();
  if (collection != "models" && collection != "tunedModels" && collection != "endpoints") {
    return std::nullopt;
  }
  parsed.own_begin = segment.slash();
  segment.Step();
  // What may stand before: pairs of a name and its value, and the version.
  for (std::string_view pair : {"publishers", "locations", "projects"}) {
    Backwards before = segment;
    before.Step();
    if (before.text() != pair) continue;
    parsed.own_begin = before.slash();
    segment = before;
    segment.Step();
  }
  if (IsVersion(segment.text())) parsed.own_begin = segment.slash();
  if (!DecodeModel(path, model, &parsed)) return std::nullopt;
  return parsed;
}

std::optional<ParsedTarget> ParseBedrock(std::string_view path) {
  Backwards segment(path);
  const std::string_view verb = segment.text();
  ParsedTarget parsed;
  parsed.dialect = Dialect::kBedrock;
  parsed.stream = verb == "converse-stream" || verb == "invoke-with-response-stream";
  parsed.invoke = verb == "invoke" || verb == "invoke-with-response-stream";
  if (!parsed.stream && !parsed.invoke && verb != "converse") return std::nullopt;
  segment.Step();
  const Span model = segment.span();
  segment.Step();
  if (segment.text() != "model" || !DecodeModel(path, model, &parsed)) return std::nullopt;
  parsed.own_begin = segment.slash();
  // Only their names tell the models that embed.
  if (parsed.invoke && parsed.model.find("embed") != std::string::npos) {
    parsed.operation = Operation::kEmbeddings;
  }
  return parsed;
}

std::optional<ParsedTarget> ParseAnthropic(std::string_view path) {
  Backwards segment(path);
  if (segment.text() != "messages") return std::nullopt;
  segment.Step();
  if (segment.text() != "v1") return std::nullopt;
  ParsedTarget parsed;
  parsed.dialect = Dialect::kAnthropic;
  parsed.own_begin = segment.slash();
  return parsed;
}

// The operation at the end of an OpenAI path; `segment` goes to what stands before.
std::optional<Operation> OpenAiOperation(Backwards* segment) {
  const std::string_view last = segment->text();
  segment->Step();
  if (last == "embeddings") return Operation::kEmbeddings;
  if (last == "responses") return Operation::kResponses;
  if (last != "completions") return std::nullopt;
  if (segment->text() != "chat") return Operation::kCompletions;
  segment->Step();
  return Operation::kChat;
}

std::optional<ParsedTarget> ParseOpenAi(std::string_view path) {
  Backwards segment(path);
  const std::optional<Operation> operation = OpenAiOperation(&segment);
  if (!operation) return std::nullopt;
  ParsedTarget parsed;
  parsed.operation = *operation;
  Backwards before = segment;
  before.Step();
  if (before.text() == "deployments") {
    const Span model = segment.span();
    parsed.dialect = Dialect::kAzureOpenAi;
    parsed.own_begin = before.slash();
    before.Step();
    if (before.text() == "openai") parsed.own_begin = before.slash();
    if (!DecodeModel(path, model, &parsed)) return std::nullopt;
    return parsed;
  }
  parsed.own_begin = segment.span().end;
  const bool versioned = IsVersion(segment.text());
  if (versioned) {
    parsed.own_begin = segment.slash();
    segment.Step();
  }
  if (segment.text() == "openai") {
    parsed.dialect = Dialect::kAzureOpenAi;
    parsed.own_begin = segment.slash();
  } else if (!versioned && *operation != Operation::kChat && !segment.text().empty()) {
    return std::nullopt;  // the word ends some other path
  }
  return parsed;
}

std::string_view OpenAiTarget(Operation operation) {
  switch (operation) {
    case Operation::kChat:
      return "/v1/chat/completions";
    case Operation::kResponses:
      return "/v1/responses";
    case Operation::kCompletions:
      return "/v1/completions";
    case Operation::kEmbeddings:
      return "/v1/embeddings";
  }
  return "";
}

// Without the version.
std::string_view OpenAiPath(Operation operation) {
  constexpr std::string_view kVersion = "/v1";
  return OpenAiTarget(operation).substr(kVersion.size());
}

std::string AzureTarget(Operation operation, std::string_view model, std::string_view version) {
  if (version == "v1") return Concat({"/openai/v1", OpenAiPath(operation)});
  std::string target = "/openai";
  if (ModelInPath(Dialect::kAzureOpenAi, operation, version)) {
    target.append("/deployments/").append(PathSegment(model));
  }
  target.append(OpenAiPath(operation));
  if (!version.empty()) target.append("?api-version=").append(PercentEncode(version));
  return target;
}

// "models/m" for a bare name; the parts of a resource name, each encoded.
std::string GeminiResource(std::string_view model) {
  if (model.find('/') == std::string_view::npos) return Concat({"models/", PathSegment(model)});
  std::string resource;
  while (true) {
    const size_t slash = model.find('/');
    resource.append(PathSegment(model.substr(0, slash)));
    if (slash == std::string_view::npos) return resource;
    resource.push_back('/');
    model.remove_prefix(slash + 1);
  }
}

std::string GeminiTarget(Operation operation, std::string_view model, std::string_view version,
                         bool stream) {
  const std::string_view verb = operation == Operation::kEmbeddings ? ":embedContent"
                                : stream                            ? ":streamGenerateContent"
                                                                    : ":generateContent";
  std::string target = "/";
  target.append(version.empty() ? "v1beta" : PathSegment(version)).append("/");
  target.append(GeminiResource(model)).append(verb);
  if (stream && operation == Operation::kChat) target.append("?alt=sse");
  return target;
}

bool IsCredentialParameter(std::string_view pair) {
  const std::string_view name = pair.substr(0, pair.find('='));
  return name == "key" || name == "access_token";
}

}  // namespace

std::optional<ParsedTarget> ParseTarget(std::string_view target) {
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  for (auto parse : {ParseOpenAi, ParseAnthropic, ParseGemini, ParseBedrock}) {
    std::optional<ParsedTarget> parsed = parse(path);
    if (parsed) return WalksUp(path.substr(parsed->own_begin)) ? std::nullopt : parsed;
  }
  return std::nullopt;
}

bool ModelInPath(Dialect dialect, Operation operation, std::string_view api_version) {
  switch (dialect) {
    case Dialect::kAzureOpenAi:
      return operation != Operation::kResponses && api_version != "v1";
    case Dialect::kGemini:
    case Dialect::kBedrock:
      return true;
    default:
      return false;
  }
}

std::string_view FixedTarget(Dialect dialect, Operation operation) {
  if (dialect == Dialect::kOpenAi) return OpenAiTarget(operation);
  const bool messages = dialect == Dialect::kAnthropic && operation == Operation::kChat;
  return messages ? "/v1/messages" : "";
}

std::string Target(Dialect dialect, Operation operation, std::string_view model,
                   std::string_view api_version, bool stream) {
  const bool common = operation == Operation::kChat;
  const bool embeds = operation == Operation::kEmbeddings;
  switch (dialect) {
    case Dialect::kOpenAi:
    case Dialect::kAnthropic:
      return std::string(FixedTarget(dialect, operation));
    case Dialect::kAzureOpenAi:
      return AzureTarget(operation, model, api_version);
    case Dialect::kGemini:
      return common || embeds ? GeminiTarget(operation, model, api_version, stream) : "";
    case Dialect::kBedrock:
      if (!common && !embeds) return "";
      return Concat({"/model/", PathSegment(model),
                     embeds   ? "/invoke"
                     : stream ? "/converse-stream"
                              : "/converse"});
  }
  return "";
}

std::string RewriteTarget(std::string_view target, const ParsedTarget& parsed,
                          std::string_view model) {
  const size_t path_end = std::min(target.find_first_of("?#"), target.size());
  const Span span = parsed.model_span;
  if (parsed.own_begin > path_end || span.end > path_end || span.begin > span.end) return {};
  std::string rewritten;
  if (model.empty() || span.end == 0) {
    rewritten = std::string(target.substr(parsed.own_begin, path_end - parsed.own_begin));
  } else {
    rewritten = Concat({target.substr(parsed.own_begin, span.begin - parsed.own_begin),
                        PathSegment(model), target.substr(span.end, path_end - span.end)});
  }
  if (rewritten.empty() || rewritten[0] != '/') rewritten.insert(0, 1, '/');
  char separator = '?';
  std::string_view rest = target.substr(path_end);
  rest = rest.substr(0, rest.find('#'));
  while (!rest.empty()) {
    rest.remove_prefix(1);  // '?' or '&'
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(pair.size());
    if (IsCredentialParameter(pair)) continue;
    rewritten.push_back(separator);
    rewritten.append(pair);
    separator = '&';
  }
  return rewritten;
}

}  // namespace weir::dialects
