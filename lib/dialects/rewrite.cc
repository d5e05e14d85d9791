// Edits of a request's body as splices: every byte that no edit concerns stays as it was.

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "base/json.h"
#include "base/text.h"
#include "weir/dialects.h"

namespace weir::dialects {
namespace {

struct Splice {
  Span replaced;  // begin == end: an insertion
  std::string text;
};

class Rewriter {
 public:
  Rewriter(std::string_view body, const Request& request) : body_(body), request_(request) {}

  void Model(std::string_view model) {
    std::string quoted;
    json::AppendString(&quoted, model);
    if (request_.model_value.end != 0) {
      Replace(request_.model_value, std::move(quoted));
    } else {
      AddMember(Concat({"\"model\":", quoted}));
    }
  }

  void IncludeUsage() {
    constexpr std::string_view kMember = "\"include_usage\":true";
    if (request_.include_usage_value.end != 0) {
      Replace(request_.include_usage_value, "true");
    } else {
      AddToObject(request_.stream_options_value, "stream_options", kMember);
    }
  }

  void MaxOutput(uint64_t tokens) {
    const std::string number = std::to_string(tokens);
    const Span newer = request_.max_output_value;
    const Span older = request_.older_max_output_value;
    if (Says(newer)) Replace(newer, number);
    if (Says(older)) Replace(older, number);
    if (Says(newer) || Says(older)) return;
    if (newer.end != 0 || older.end != 0) return Replace(newer.end != 0 ? newer : older, number);
    const std::string_view key = MaxOutputKey();
    if (key.empty()) return;
    const std::string member = Concat({"\"", key, "\":", number});
    if (request_.dialect == Dialect::kGemini) {
      AddToObject(request_.config_value,
                  request_.snake_case ? "generation_config" : "generationConfig", member);
    } else if (request_.dialect == Dialect::kBedrock) {
      AddToObject(request_.config_value, "inferenceConfig", member);
    } else {
      AddMember(member);
    }
  }

  // False when there is nothing to edit.
  template <typename String>
  bool Write(String* rewritten) {
    if (!members_.empty()) Insert(request_.object_open, std::move(members_));
    if (splices_.empty()) return false;
    std::sort(splices_.begin(), splices_.end(),
              [](const Splice& a, const Splice& b) { return a.replaced.begin < b.replaced.begin; });
    size_t size = body_.size();
    for (const Splice& splice : splices_) size += splice.text.size();
    rewritten->clear();
    rewritten->reserve(size);
    size_t from = 0;
    for (const Splice& splice : splices_) {
      rewritten->append(body_.substr(from, splice.replaced.begin - from)).append(splice.text);
      from = splice.replaced.end;
    }
    rewritten->append(body_.substr(from));
    return true;
  }

 private:
  // Whether there is something else than null.
  bool Says(Span span) const { return span.end != 0 && body_[span.begin] != 'n'; }

  std::string_view MaxOutputKey() const {
    switch (request_.dialect) {
      case Dialect::kAnthropic:
        return "max_tokens";
      case Dialect::kGemini:
        if (request_.operation != Operation::kChat) return "";
        return request_.snake_case ? "max_output_tokens" : "maxOutputTokens";
      case Dialect::kBedrock:
        return request_.operation == Operation::kChat && !request_.invoke ? "maxTokens" : "";
      default:
        break;
    }
    switch (request_.operation) {
      case Operation::kChat:
        return "max_completion_tokens";
      case Operation::kResponses:
        return "max_output_tokens";
      case Operation::kCompletions:
        return "max_tokens";
      case Operation::kEmbeddings:
        return "";
    }
    return "";
  }

  void Replace(Span span, std::string text) { splices_.push_back({span, std::move(text)}); }

  // As the first members of the object that opens at body[open].
  void Insert(size_t open, std::string members) {
    const size_t next = body_.find_first_not_of(" \t\r\n", open + 1);
    const bool empty = next == std::string_view::npos || body_[next] == '}';
    if (!empty) members.push_back(',');
    Replace({open + 1, open + 1}, std::move(members));
  }

  void AddMember(std::string_view member) {
    if (!members_.empty()) members_.push_back(',');
    members_.append(member);
  }

  // Into the object at `span`, which may be null or absent.
  void AddToObject(Span span, std::string_view key, std::string_view member) {
    if (span.end == 0) {
      AddMember(Concat({"\"", key, "\":{", member, "}"}));
    } else if (body_[span.begin] == '{') {
      Insert(span.begin, std::string(member));
    } else {
      Replace(span, Concat({"{", member, "}"}));
    }
  }

  std::string_view body_;
  const Request& request_;
  absl::InlinedVector<Splice, 4> splices_;
  std::string members_;  // new ones of the body itself
};

// How far into its body a request looks.
size_t Furthest(const Request& request) {
  return std::max({request.object_open + 1, request.model_value.end,
                   request.stream_options_value.end, request.include_usage_value.end,
                   request.max_output_value.end, request.older_max_output_value.end,
                   request.config_value.end});
}

template <typename String>
bool Rewrite(std::string_view body, const Request& request, const Edits& edits, String* rewritten) {
  if (Furthest(request) > body.size()) return false;  // not the body that was read
  const bool path_dialect =
      request.dialect == Dialect::kGemini || request.dialect == Dialect::kBedrock;
  const bool asks_for_usage =
      (request.dialect == Dialect::kOpenAi || request.dialect == Dialect::kAzureOpenAi) &&
      (request.operation == Operation::kChat || request.operation == Operation::kCompletions);
  Rewriter rewriter(body, request);
  if (!edits.model.empty() && !path_dialect && edits.model != request.body_model) {
    rewriter.Model(edits.model);
  }
  if (edits.want_usage && asks_for_usage && request.stream && !request.include_usage) {
    rewriter.IncludeUsage();
  }
  if (edits.max_output_tokens && edits.max_output_tokens != request.max_output_tokens) {
    rewriter.MaxOutput(*edits.max_output_tokens);
  }
  return rewriter.Write(rewritten);
}

}  // namespace

std::string RewriteRequest(std::string_view body, const Request& request, const Edits& edits) {
  std::string rewritten;
  return Rewrite(body, request, edits, &rewritten) ? rewritten : std::string(body);
}

std::string_view RewriteRequest(std::string_view body, const Request& request, const Edits& edits,
                                RecycledString* rewritten) {
  return Rewrite(body, request, edits, rewritten) ? std::string_view(*rewritten) : body;
}

}  // namespace weir::dialects
