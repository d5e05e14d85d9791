#include "engine/request_key.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace weir::engine {
namespace {

using dialects::Dialect;
using dialects::Operation;
using json::Type;
using json::Value;

// Where a dialect keeps what was said, and what comes before it.
struct Shape {
  std::string_view dialogue;               // the list of messages, or a text
  std::string_view content;                // of a message: a text, or parts
  std::array<std::string_view, 2> system;  // beside the dialogue
};

Shape ShapeOf(const dialects::Request& request) {
  switch (request.dialect) {
    case Dialect::kAnthropic:
    case Dialect::kBedrock:
      return {"messages", "content", {"system", ""}};
    case Dialect::kGemini:
      return {"contents", "parts", {"systemInstruction", "system_instruction"}};
    default:
      break;
  }
  if (request.operation == Operation::kResponses) return {"input", "content", {"instructions", ""}};
  if (request.operation == Operation::kCompletions) return {"prompt", "", {}};
  return {"messages", "content", {}};
}

bool IsSystem(Value message) {
  const std::string_view role = message["role"].text();
  return role == "system" || role == "developer";
}

// {"type": "text", "text": …}, or {"text": …} alone: nothing else stands there.
bool IsPlainText(Value part) {
  if (!part["text"].Is(Type::kString)) return false;
  if (part.size() == 1) return true;
  const std::string_view type = part["type"].text();
  return part.size() == 2 && (type == "text" || type == "input_text" || type == "output_text");
}

// JSON without the blanks between its words.
void AppendCompact(std::string_view source, std::string* out) {
  bool in_string = false;
  for (size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    out->push_back(c);
    if (in_string && c == '\\' && i + 1 < source.size()) {
      out->push_back(source[++i]);
    } else if (c == '"') {
      in_string = !in_string;
    }
  }
}

class KeyBuilder {
 public:
  KeyBuilder(const dialects::Request& request, const policy::Cache& cache)
      : request_(request), cache_(cache), shape_(ShapeOf(request)) {}

  // False: the dialogue is too long for the cache.
  bool Read(Value body) {
    absl::InlinedVector<Value, 24> members;
    for (const Value member : body.members()) members.push_back(member);
    std::sort(members.begin(), members.end(), [](Value a, Value b) { return a.key() < b.key(); });
    for (const Value member : members) {
      if (IsIgnored(member.key())) continue;
      if (member.key() != shape_.dialogue) {
        Exactly(member);
      } else if (!Dialogue(member)) {
        return false;
      }
    }
    return true;
  }

  RequestKey Finish(std::string_view scope, uint64_t seed) && {
    RequestKey key;
    AppendPart(scope, &frame_);
    key.frame = SipHash(seed, frame_);
    key.exact = SipHash(seed, frame_, texts_);
    key.text = std::move(text_);
    return key;
  }

 private:
  bool IsIgnored(std::string_view field) const {
    if (field == "stream" || field == "stream_options") return true;
    if (field == "model" && !request_.model_in_path) return true;  // the scope has what it means
    if (cache_.ignores_system && !field.empty() &&
        std::find(shape_.system.begin(), shape_.system.end(), field) != shape_.system.end()) {
      return true;
    }
    return std::find(cache_.ignored_fields.begin(), cache_.ignored_fields.end(), field) !=
           cache_.ignored_fields.end();
  }

  void Exactly(Value value) {
    AppendPart(value.key(), &frame_);
    compact_.clear();
    AppendCompact(value.source(), &compact_);
    AppendPart(compact_, &frame_);
  }

  void ByMeaning(Value text) {
    AppendPart("\1text", &frame_);
    AppendPart(text.text(), &texts_);
    if (text.text().empty()) return;
    if (!text_.empty()) text_ += '\n';
    text_ += text.text();
  }

  bool Dialogue(Value dialogue) {
    AppendPart(dialogue.key(), &frame_);
    if (dialogue.Is(Type::kString)) {
      ByMeaning(dialogue);
      return true;
    }
    if (!dialogue.Is(Type::kArray) || shape_.content.empty()) {
      Exactly(dialogue);
      return true;
    }
    uint64_t spoken = 0;
    for (const Value message : dialogue.members()) spoken += IsSystem(message) ? 0 : 1;
    if (cache_.max_messages != 0 && spoken > cache_.max_messages) return false;
    for (const Value message : dialogue.members()) {
      if (IsSystem(message)) {
        if (!cache_.ignores_system) Exactly(message);
      } else if (cache_.messages == 0 || spoken-- <= cache_.messages) {
        Message(message);
      } else {
        Exactly(message);
      }
    }
    return true;
  }

  void Message(Value message) {
    AppendPart("\1message", &frame_);
    for (const Value member : message.members()) {
      if (member.key() == shape_.content) {
        Content(member);
      } else {
        Exactly(member);
      }
    }
  }

  void Content(Value content) {
    AppendPart(content.key(), &frame_);
    if (content.Is(Type::kString)) return ByMeaning(content);
    if (!content.Is(Type::kArray)) return Exactly(content);
    for (const Value part : content.members()) {
      if (IsPlainText(part)) {
        AppendPart(part["type"].text(), &frame_);
        ByMeaning(part["text"]);
      } else {
        Exactly(part);
      }
    }
    AppendPart("\1end", &frame_);
  }

  const dialects::Request& request_;
  const policy::Cache& cache_;
  const Shape shape_;
  std::string frame_, texts_, text_, compact_;
};

// What the provider keeps of an exchange, or knows from an earlier one, no cache can give.
bool NeedsProviderState(const dialects::Request& request, Value body) {
  const auto is_set = [&](std::string_view field) {
    return body[field] && !body[field].Is(Type::kNull);
  };
  if (request.operation == Operation::kResponses) {
    const bool not_stored = body["store"].Is(Type::kBool) && !body["store"].boolean();
    return !not_stored || is_set("previous_response_id") || is_set("conversation") ||
           body["background"].boolean();
  }
  return request.operation == Operation::kChat && body["store"].Is(Type::kBool) &&
         body["store"].boolean();
}

}  // namespace

void AppendPart(std::string_view part, std::string* parts) {
  uint64_t size = part.size();
  for (; size >= 128; size >>= 7) parts->push_back(static_cast<char>(size | 128));
  parts->push_back(static_cast<char>(size));
  parts->append(part);
}

RequestKey KeyOf(const dialects::Request& request, Value body, const policy::Cache& cache,
                 std::string_view scope, uint64_t seed) {
  RequestKey key;
  if (request.operation == Operation::kEmbeddings || request.invoke) {
    key.bypass = "operation";
  } else if (NeedsProviderState(request, body)) {
    key.bypass = "provider_state";
  }
  if (!key.bypass.empty()) return key;
  KeyBuilder builder(request, cache);
  if (!builder.Read(body)) {
    key.bypass = "too_many_messages";
    return key;
  }
  return std::move(builder).Finish(scope, seed);
}

}  // namespace weir::engine
