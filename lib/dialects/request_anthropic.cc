// Requests in Anthropic's dialect: messages.

#include "dialects/request_reader.h"

namespace weir::dialects {
namespace {

using json::Value;

constexpr Place kBody;

bool OneMessage(Value message, const Place& place, RequestReader* reader) {
  const Value content = message["content"];
  const Place at(place, "content");
  if (!reader->Needed(message["role"], Place(place, "role"), kText)) return false;
  return content ? reader->Parts(content, at, kText | kList) : reader->Missing(at);
}

}  // namespace

bool ReadAnthropicMessages(Value root, RequestReader* reader) {
  Request& request = reader->request();
  Value messages;
  for (Value member : root.members()) {
    const std::string_view key = member.key();
    const Place place(kBody, key);
    bool ok = true;
    if (key == "messages") {
      messages = member;
    } else if (key == "model") {
      ok = reader->Model(member, place);
    } else if (key == "stream") {
      ok = reader->Flag(member, place, &request.stream);
    } else if (key == "max_tokens") {
      ok = reader->MaxOutput(member, place, 0);  // 0 only fills the provider's cache
    } else if (key == "system") {
      ok = reader->Parts(member, place, kNull | kText | kList);
    } else if (key == "tools") {
      ok = reader->Typed(member, place, kNull | kList);
    } else if (key == "metadata") {
      ok = reader->Typed(member, place, kNull | kObject) &&
           reader->Text(member["user_id"], Place(place, "user_id"), &request.user);
    }
    if (!ok) return false;
  }
  const Place place(kBody, "messages");
  return reader->Needed(messages, place, kList) &&
         reader->Objects(messages, place, [reader](Value message, const Place& at) {
           return OneMessage(message, at, reader);
         });
}

}  // namespace weir::dialects
