// Requests in OpenAI's dialects: chat completions, responses, completions, embeddings.

#include <algorithm>

#include "base/saturating.h"
#include "dialects/request_reader.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

constexpr Place kBody;

bool StreamOptions(Value options, RequestReader* reader) {
  const Place place(kBody, "stream_options");
  if (!reader->Typed(options, place, kNull | kObject)) return false;
  Request& request = reader->request();
  request.stream_options_value = SpanOf(options);
  const Value include = options["include_usage"];
  if (!include) return true;
  request.include_usage_value = SpanOf(include);
  return reader->Flag(include, Place(place, "include_usage"), &request.include_usage);
}

// The members that all four have, and the two that name the user.
struct Common {
  Value user, safety_identifier;

  // Whether the member was one of them; `*ok` whether it could be read.
  bool Take(Value member, RequestReader* reader, bool* ok) {
    const std::string_view key = member.key();
    const Place place(kBody, key);
    if (key == "model") {
      *ok = reader->Model(member, place);
    } else if (key == "stream") {
      *ok = reader->Flag(member, place, &reader->request().stream);
    } else if (key == "user") {
      user = member;
    } else if (key == "safety_identifier") {
      safety_identifier = member;
    } else {
      return false;
    }
    return true;
  }

  bool ReadUser(RequestReader* reader) const {
    RecycledString older;
    Request& request = reader->request();
    if (!reader->Text(safety_identifier, Place(kBody, "safety_identifier"), &request.user) ||
        !reader->Text(user, Place(kBody, "user"), &older)) {
      return false;
    }
    if (!older.empty()) request.user = older;
    return true;
  }
};

bool ChatPart(Value part, const Place& place, RequestReader* reader) {
  const Value type = part["type"];
  if (!reader->Needed(type, Place(place, "type"), kText)) return false;
  if (type.text() != "text" && type.text() != "refusal") return true;
  return reader->Needed(part[type.text()], Place(place, type.text()), kText);
}

bool ChatMessage(Value message, const Place& place, RequestReader* reader) {
  bool has_role = false;
  for (Value member : message.members()) {
    const std::string_view key = member.key();
    const Place at(place, key);
    bool ok = true;
    if (key == "role") {
      has_role = true;
      ok = reader->Typed(member, at, kText);
    } else if (key == "content") {
      ok = reader->Typed(member, at, kNull | kText | kList);
      if (ok && member.Is(Type::kArray)) {
        ok = reader->Objects(member, at, [reader](Value part, const Place& where) {
          return ChatPart(part, where, reader);
        });
      }
    } else if (key == "name") {
      ok = reader->Typed(member, at, kNull | kText);
    } else if (key == "tool_calls") {
      ok = reader->Typed(member, at, kNull | kList);
    } else if (key == "function_call") {
      ok = reader->Typed(member, at, kNull | kObject);
    }
    if (!ok) return false;
  }
  return has_role || reader->Missing(Place(place, "role"));
}

// A prompt or an input: a text, texts, token numbers, or lists of those. `*many` is how many
// prompts it is.
bool PromptTexts(Value value, const Place& place, RequestReader* reader, uint64_t* many) {
  if (!value.Is(Type::kArray)) return true;
  uint64_t entries = 0;
  size_t index = 0;
  for (Value element : value.members()) {
    const Place at(place, index++);
    if (element.Is(Type::kNumber)) {
      if (!element.Uint()) return reader->Fail(at, "Invalid value for", ": expected a token.");
      continue;
    }
    if (!reader->Typed(element, at, kText | kList)) return false;
    ++entries;
    size_t inner = 0;
    for (Value token : element.members()) {
      const Place token_at(at, inner++);
      if (!token.Uint()) return reader->Fail(token_at, "Invalid value for", ": expected a token.");
    }
  }
  if (entries != 0 && entries != value.size()) {
    return reader->Fail(place, "Invalid value for", ": texts and tokens do not mix.");
  }
  *many = std::max<uint64_t>(entries, 1);
  return true;
}

bool Item(Value item, const Place& place, RequestReader* reader) {
  const Place content(place, "content");
  return reader->Typed(item["type"], Place(place, "type"), kNull | kText) &&
         reader->Typed(item["role"], Place(place, "role"), kNull | kText) &&
         reader->Parts(item["content"], content, kNull | kText | kList);
}

}  // namespace

bool ReadOpenAiChat(Value root, RequestReader* reader) {
  Request& request = reader->request();
  Common common;
  Value messages;
  Value max_tokens;
  Value max_completion_tokens;
  std::optional<uint64_t> n;
  for (Value member : root.members()) {
    const std::string_view key = member.key();
    const Place place(kBody, key);
    bool ok = true;
    if (key == "messages") {
      messages = member;
    } else if (key == "max_tokens") {
      max_tokens = member;
    } else if (key == "max_completion_tokens") {
      max_completion_tokens = member;
    } else if (key == "stream_options") {
      ok = StreamOptions(member, reader);
    } else if (key == "n") {
      ok = reader->Count(member, place, 1, &n);
    } else if (key == "tools" || key == "functions") {
      ok = reader->Typed(member, place, kNull | kList);
    } else if (key == "response_format") {
      ok = reader->Typed(member, place, kNull | kObject);
    } else if (key == "tool_choice" || key == "function_call") {
      ok = reader->Typed(member, place, kNull | kText | kObject);
    } else {
      common.Take(member, reader, &ok);
    }
    if (!ok) return false;
  }
  std::optional<uint64_t> older;
  if (!reader->Count(max_tokens, Place(kBody, "max_tokens"), 1, &older) ||
      !reader->MaxOutput(max_completion_tokens, Place(kBody, "max_completion_tokens"), 1) ||
      !common.ReadUser(reader)) {
    return false;
  }
  if (max_tokens) request.older_max_output_value = SpanOf(max_tokens);
  if (!request.max_output_tokens) request.max_output_tokens = older;
  request.n = n.value_or(1);
  const Place place(kBody, "messages");
  return reader->Needed(messages, place, kList) &&
         reader->Objects(messages, place, [reader](Value message, const Place& at) {
           return ChatMessage(message, at, reader);
         });
}

bool ReadOpenAiResponses(Value root, RequestReader* reader) {
  Common common;
  for (Value member : root.members()) {
    const std::string_view key = member.key();
    const Place place(kBody, key);
    bool ok = true;
    if (key == "input") {
      ok = reader->Typed(member, place, kNull | kText | kList) &&
           reader->Objects(member, place, [reader](Value item, const Place& at) {
             return Item(item, at, reader);
           });
    } else if (key == "max_output_tokens") {
      ok = reader->MaxOutput(member, place, 1);
    } else if (key == "instructions") {
      ok = reader->Typed(member, place, kNull | kText);
    } else if (key == "tools") {
      ok = reader->Typed(member, place, kNull | kList);
    } else if (key == "text") {
      ok = reader->Typed(member, place, kNull | kObject);
    } else {
      common.Take(member, reader, &ok);
    }
    if (!ok) return false;
  }
  return common.ReadUser(reader);
}

bool ReadOpenAiCompletions(Value root, RequestReader* reader) {
  Request& request = reader->request();
  Common common;
  std::optional<uint64_t> n;
  std::optional<uint64_t> best_of;
  uint64_t prompts = 1;
  for (Value member : root.members()) {
    const std::string_view key = member.key();
    const Place place(kBody, key);
    bool ok = true;
    if (key == "prompt") {
      ok = reader->Typed(member, place, kNull | kText | kList) &&
           PromptTexts(member, place, reader, &prompts);
    } else if (key == "max_tokens") {
      ok = reader->MaxOutput(member, place, 0);
    } else if (key == "stream_options") {
      ok = StreamOptions(member, reader);
    } else if (key == "n") {
      ok = reader->Count(member, place, 1, &n);
    } else if (key == "best_of") {
      ok = reader->Count(member, place, 1, &best_of);
    } else if (key == "suffix") {
      ok = reader->Typed(member, place, kNull | kText);
    } else {
      common.Take(member, reader, &ok);
    }
    if (!ok) return false;
  }
  request.n = SaturatingMul(prompts, std::max(n.value_or(1), best_of.value_or(1)));
  return common.ReadUser(reader);
}

bool ReadOpenAiEmbeddings(Value root, RequestReader* reader) {
  Common common;
  Value input;
  for (Value member : root.members()) {
    bool ok = true;
    if (member.key() == "input") {
      input = member;
    } else {
      common.Take(member, reader, &ok);
    }
    if (!ok) return false;
  }
  const Place place(kBody, "input");
  uint64_t many = 1;
  reader->request().stream = false;
  return reader->Needed(input, place, kText | kList) && PromptTexts(input, place, reader, &many) &&
         common.ReadUser(reader);
}

}  // namespace weir::dialects
