#include "dialects/openai_answer.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

// One entry for each kind of each choice; tool calls are told apart by their index.
void ReadChoice(Value choice, std::vector<std::string>* texts) {
  TextKind last_kind = TextKind::kContent;
  uint32_t last_tool = 0;
  bool first = true;
  ForEachPiece(choice["message"], [&](const Piece& piece) {
    if (first || piece.kind != last_kind || piece.tool != last_tool) texts->emplace_back();
    texts->back().append(piece.text);
    first = false;
    last_kind = piece.kind;
    last_tool = piece.tool;
  });
}

}  // namespace

ChatResponse ReadChatResponse(std::string_view body) {
  ChatResponse response;
  json::Document document;
  json::ParseError error;
  if (!document.Parse(body, kLenient, &error)) return response;
  const Value root = document.root();
  if (!root.Is(Type::kObject)) return response;
  Value choices;
  for (Value member : root.members()) {
    const std::string_view key = member.key();
    if (key == "usage") {
      response.usage = ReadUsage(member);
    } else if (key == "model") {
      response.model = member.Is(Type::kString) ? member.text() : std::string_view();
    } else if (key == "error") {
      response.error = IsError(member);
    } else if (key == "choices") {
      choices = member;
    }
  }
  if (!choices.Is(Type::kArray)) return response;
  for (Value choice : choices.members()) ReadChoice(choice, &response.texts);
  return response;
}

}  // namespace weir::dialects
