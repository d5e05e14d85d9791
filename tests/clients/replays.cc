// Writes the replays of a kept answer for replays.mjs to read: a line of JSON for each.

#include <cstdio>
#include <string>

#include "base/json.h"
#include "weir/replay.h"

namespace {

using weir::dialects::Dialect;
using weir::dialects::KeptAnswer;
using weir::dialects::Operation;

// Characters of every length, what JSON escapes, and more than one piece.
std::string Text() {
  std::string text = "Hello \"\\\n\t\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80 data: [DONE]\n\n";
  for (int i = 0; i < 300; ++i) text += " w\xC3\xB6rd";
  return text;
}

bool Write(Operation operation, const char* name, const char* reason, size_t choices) {
  KeptAnswer kept;
  kept.model = "gpt-4o";
  kept.usage = {.prompt = 21, .completion = 9, .reasoning = 4};
  for (size_t i = 0; i < choices; ++i) kept.choices.push_back({Text(), reason, ""});
  for (int way = 0; way < 4; ++way) {
    weir::dialects::Replay replay;
    replay.operation = operation;
    replay.stream = (way & 1) != 0;
    replay.include_usage = (way & 2) != 0;
    replay.id_seed = "00112233445566778899aabbccddeeff";
    replay.created_unix_s = 1800000000;
    const auto written = weir::dialects::WriteReplay(kept, replay);
    if (!written.ok()) return false;
    std::string line;
    weir::json::Writer writer(&line);
    writer.BeginObject();
    writer.Key("operation").String(name);
    writer.Key("stream").Bool(replay.stream);
    writer.Key("include_usage").Bool(replay.include_usage);
    writer.Key("choices").Uint(choices);
    writer.Key("text").String(Text());
    writer.Key("content_type").String(written->content_type);
    writer.Key("body").String(written->body);
    writer.EndObject();
    std::puts(line.c_str());
  }
  return true;
}

}  // namespace

int main() {
  const bool written = Write(Operation::kChat, "chat", "stop", 1) &&
                       Write(Operation::kChat, "chat", "stop", 3) &&
                       Write(Operation::kCompletions, "completions", "stop", 1) &&
                       Write(Operation::kResponses, "responses", "completed", 1);
  return written ? 0 : 1;
}
