#include <algorithm>
#include <array>

#include "base/json.h"
#include "weir/dialects.h"

namespace weir::dialects {
namespace {

using Span = ChatRequest::Span;

struct Edit {
  Span replaced;  // begin == end: an insertion
  std::string text;
};

// `member` as the first one of the object that opens at body[open].
Edit InsertMember(std::string_view body, size_t open, std::string member) {
  const size_t next = body.find_first_not_of(" \t\r\n", open + 1);
  const bool empty = next == std::string_view::npos || body[next] == '}';
  if (!empty) member.push_back(',');
  return {{open + 1, open + 1}, std::move(member)};
}

Edit EditModel(std::string_view body, const ChatRequest& request, std::string_view model) {
  std::string text;
  if (request.model_value.end != 0) {
    json::AppendString(&text, model);
    return {request.model_value, std::move(text)};
  }
  text = "\"model\":";
  json::AppendString(&text, model);
  return InsertMember(body, request.object_open, std::move(text));
}

Edit EditIncludeUsage(std::string_view body, const ChatRequest& request) {
  constexpr std::string_view kMember = "\"include_usage\":true";
  const Span& options = request.stream_options_value;
  if (request.include_usage_value.end != 0) return {request.include_usage_value, "true"};
  if (options.end == 0) {
    return InsertMember(body, request.object_open, "\"stream_options\":{\"include_usage\":true}");
  }
  if (body[options.begin] == '{') return InsertMember(body, options.begin, std::string(kMember));
  return {options, "{\"include_usage\":true}"};  // it was null
}

}  // namespace

std::string RewriteChatRequest(std::string_view body, const ChatRequest& request,
                               std::string_view model, bool want_usage) {
  const size_t furthest =
      std::max({request.object_open + 1, request.model_value.end, request.stream_options_value.end,
                request.include_usage_value.end});
  if (furthest > body.size()) return std::string(body);  // not the body that was read
  std::array<Edit, 2> edits;
  size_t count = 0;
  if (!model.empty() && model != request.model) edits[count++] = EditModel(body, request, model);
  if (want_usage && request.stream && !request.include_usage) {
    edits[count++] = EditIncludeUsage(body, request);
  }
  if (count == 2 && edits[1].replaced.begin < edits[0].replaced.begin) {
    std::swap(edits[0], edits[1]);
  }
  std::string rewritten;
  rewritten.reserve(body.size() + edits[0].text.size() + edits[1].text.size());
  size_t from = 0;
  for (size_t i = 0; i < count; ++i) {
    rewritten.append(body.substr(from, edits[i].replaced.begin - from));
    rewritten.append(edits[i].text);
    from = edits[i].replaced.end;
  }
  rewritten.append(body.substr(from));
  return rewritten;
}

}  // namespace weir::dialects
