// The story of a request, told to people and to scripts.

#include <algorithm>
#include <cctype>

#include "console.h"
#include "explain.h"
#include "json.h"

namespace weir::cli {
namespace {

std::string_view KindName(int32_t kind) {
  constexpr std::string_view kNames[] = {"",     "continue", "forward", "reply",
                                         "call", "wait",     "finish",  "done"};
  const auto index = static_cast<size_t>(kind);
  return index < std::size(kNames) ? kNames[index] : kNames[0];
}

std::string Number(int64_t number) { return std::to_string(number); }

// What neither a screen nor a log should have.
std::string Hidden(const Story& story, const HeaderEdit& edit) {
  std::string lower = edit.name;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* word : {"authorization", "key", "cookie", "secret"}) {
    if (lower.find(word) != std::string::npos) return "(hidden)";
  }
  for (const std::string& secret : story.secrets) {
    if (edit.value.find(secret) != std::string::npos) return "(hidden)";
  }
  return edit.value;
}

class Telling {
 public:
  explicit Telling(const Story& story) : story_(story) { told_.Read(story.explanation); }

  std::string Text() {
    Line("request", {story_.request.method, " ", story_.request.target, ", ",
                     Number(static_cast<int64_t>(story_.request.body.size())), " bytes"});
    Identity();
    for (const JsonObject& limit : told_.Objects("limits")) Limit(limit);
    for (const Action& action : story_.actions) Tell(action);
    for (const std::string& note : story_.notes) Line("note", {note});
    return out_;
  }

 private:
  void Line(std::string_view word, std::initializer_list<std::string_view> parts) {
    constexpr size_t kIndent = 10;
    out_ += Concat({word, std::string(kIndent - std::min(kIndent, word.size()), ' ')});
    out_ += Concat({Concat(parts), "\n"});
  }

  void Identity() {
    const auto text = [&](std::string_view key) { return told_.Text(key); };
    Line("route", {text("route").empty() ? "none matches" : text("route")});
    if (!text("consumer").empty()) Line("consumer", {text("consumer")});
    if (text("model").empty()) return;
    JsonObject prompt;
    if (!prompt.Read(told_.Field("prompt_tokens"))) return Line("model", {text("model")});
    Line("model", {text("model"), ", prompt of ", prompt.Field("count"), " tokens (",
                   prompt.Text("provenance"), ")"});
  }

  void Limit(const JsonObject& limit) {
    const bool admitted = limit.Field("admitted") == "true";
    const auto field = [&](std::string_view key) { return limit.Field(key); };
    if (admitted) {
      return Line("limit", {limit.Text("limit"), ": admitted; costs ", field("cost"), ", reserves ",
                            field("reserved"), "; of ", field("amount"), ", ", field("before"),
                            " used before, ", field("remaining"), " left"});
    }
    const bool never = field("retry_after_ms") == "null";
    Line("limit",
         {limit.Text("limit"), ": no room; costs ", field("cost"), "; of ", field("amount"), ", ",
          field("before"), " used before; ", never ? "it can never pass" : "there is room in ",
          never ? "" : field("retry_after_ms"), never ? "" : " ms"});
  }

  void Tell(const Action& action) {
    switch (action.action.kind) {
      case WEIR_ACTION_FORWARD:
        return Forward(action);
      case WEIR_ACTION_REPLY:
        Line("reply", {Number(action.action.status)});
        Headers(action);
        return Line("", {"body ", action.body});
      case WEIR_ACTION_WAIT:
        return Line("wait", {Number(action.wait_ms), " ms, then decide again"});
      case WEIR_ACTION_CONTINUE:
        if (action.action.status == 0) return;  // after the request's head: nothing is decided yet
        Line("relay", {"status ", Number(action.action.status)});
        return Headers(action);
      default:
        return Line(KindName(action.action.kind), {"the answer is complete"});
    }
  }

  void Forward(const Action& action) {
    const auto attempts = told_.Objects("attempts");
    const size_t index = action.action.attempt - 1;
    const std::string backend =
        index < attempts.size() ? attempts[index].Text("backend") : std::string("(unknown)");
    Line("forward", {"attempt ", Number(action.action.attempt), " to ", backend, ": ", action.url,
                     action.target});
    if (action.wait_ms != 0) Line("", {"give up after ", Number(action.wait_ms), " ms"});
    Headers(action);
    Line("", {"body of ", Number(static_cast<int64_t>(action.body.size())),
              action.body == story_.request.body ? " bytes, untouched" : " bytes, rewritten"});
    if (action.answer == nullptr)
      return Line("", {"what follows depends on its answer (--answer)"});
    Line("answer", {"supposed: ", action.answer->said});
  }

  void Headers(const Action& action) {
    constexpr std::string_view kWords[] = {"", "set ", "remove ", "add "};
    for (const HeaderEdit& edit : action.headers) {
      const std::string value =
          edit.operation == WEIR_HEADER_REMOVE ? "" : ": " + Hidden(story_, edit);
      Line("", {"header ", kWords[edit.operation & 3], edit.name, value});
    }
  }

  const Story& story_;
  JsonObject told_;
  std::string out_;
};

void AppendMember(std::string* out, std::string_view key, std::string_view text) {
  *out += Concat({",\"", key, "\":"});
  AppendJsonString(out, text);
}

std::string ActionJson(const Story& story, const Action& action) {
  std::string out = Concat({"{\"action\":\"", KindName(action.action.kind), "\""});
  if (action.action.status != 0) out += ",\"status\":" + Number(action.action.status);
  if (action.action.kind == WEIR_ACTION_FORWARD) {
    out += ",\"attempt\":" + Number(action.action.attempt);
    AppendMember(&out, "url", action.url);
    AppendMember(&out, "target", action.target);
    out += ",\"timeout_ms\":" + Number(action.wait_ms);
    out += ",\"body_bytes\":" + Number(static_cast<int64_t>(action.body.size()));
    if (action.answer != nullptr) AppendMember(&out, "supposed_answer", action.answer->said);
  }
  if (action.action.kind == WEIR_ACTION_WAIT) out += ",\"wait_ms\":" + Number(action.wait_ms);
  if (action.action.kind == WEIR_ACTION_REPLY) AppendMember(&out, "body", action.body);
  out += ",\"headers\":[";
  constexpr std::string_view kWords[] = {"", "set", "remove", "add"};
  for (const HeaderEdit& edit : action.headers) {
    if (out.back() == '}') out += ",";
    out += Concat({"{\"operation\":\"", kWords[edit.operation & 3], "\""});
    AppendMember(&out, "name", edit.name);
    if (edit.operation != WEIR_HEADER_REMOVE) AppendMember(&out, "value", Hidden(story, edit));
    out += "}";
  }
  return out + "]}";
}

}  // namespace

std::string StoryText(const Story& story) { return Telling(story).Text(); }

std::string StoryJson(const Story& story) {
  std::string out = Concat({"{\"explanation\":", story.explanation, ",\"actions\":["});
  for (const Action& action : story.actions) {
    if (&action != &story.actions.front()) out += ",";
    out += ActionJson(story, action);
  }
  out += "],\"notes\":[";
  for (const std::string& note : story.notes) {
    if (&note != &story.notes.front()) out += ",";
    AppendJsonString(&out, note);
  }
  return out + "]}\n";
}

}  // namespace weir::cli
