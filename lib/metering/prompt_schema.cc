#include "metering/prompt_schema.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace weir::metering {
namespace {

using json::Type;
using json::Value;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view StringOf(const Value& object, std::string_view key) {
  const Value value = object[key];
  return value.Is(Type::kString) ? value.text() : std::string_view();
}

// The title and the description of a schema; the title of nothing is empty.
struct Comment {
  std::string_view title, description;

  bool empty() const { return title.empty() && description.empty(); }
};

Comment CommentOf(const Value& schema) {
  return {Trim(StringOf(schema, "title")), Trim(StringOf(schema, "description"))};
}

void AppendLines(std::string_view text, std::string* out) {
  for (;;) {
    const size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    out->append(line.empty() ? "//" : "// ").append(line).append("\n");
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

void AppendComment(const Comment& comment, std::string* out) {
  if (!comment.title.empty()) out->append("// ").append(comment.title).append("\n");
  if (!comment.title.empty() && !comment.description.empty()) out->append("//\n");
  if (!comment.description.empty()) AppendLines(comment.description, out);
}

void AppendValue(const Value& value, std::string* out) { AppendCompactJson(value.source(), out); }

// Finds what a $ref names: "#/$defs/Name", "#/definitions/Name".
class Definitions {
 public:
  explicit Definitions(const Value& root) {
    named_.reserve(root["$defs"].size() + root["definitions"].size());
    for (const std::string_view list :
         {std::string_view("$defs"), std::string_view("definitions")}) {
      for (const Value member : root[list].members()) named_.emplace_back(member.key(), member);
    }
    std::stable_sort(named_.begin(), named_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }

  // `schema` itself when it refers to nothing, an absent value when it refers to nothing known.
  Value Resolve(Value schema) const {
    constexpr int kMaxHops = 8;
    for (int hop = 0; hop < kMaxHops; ++hop) {
      const std::string_view reference = StringOf(schema, "$ref");
      if (reference.empty()) return schema;
      schema = Find(reference.substr(reference.rfind('/') + 1));
    }
    return Value();
  }

 private:
  Value Find(std::string_view name) const {
    const auto found = std::lower_bound(
        named_.begin(), named_.end(), name,
        [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
    return found != named_.end() && found->first == name ? found->second : Value();
  }

  std::vector<std::pair<std::string_view, Value>> named_;
};

// Writes a schema as a TypeScript type. What is still to be written waits on a stack of its own, so
// that no schema can exhaust the thread's.
class TypeWriter {
 public:
  TypeWriter(const Value& root, bool harmony, std::string* out)
      : definitions_(root), harmony_(harmony), out_(out) {
    // References can make a short schema long, even endless. No honest one is so long.
    constexpr size_t kSpare = size_t{64} << 10, kTimes = 4;
    limit_ = out->size() + kSpare + kTimes * root.source().size();
  }

  bool Write(const Value& schema) {
    Push({Task::Kind::kOuter, schema, {}, 0});
    while (!tasks_.empty()) {
      if (out_->size() > limit_) return false;
      const Task task = tasks_.back();
      tasks_.pop_back();
      Carry(task);
    }
    return complete_;
  }

 private:
  struct Task {
    enum class Kind : uint8_t { kText, kOuter, kType, kUnionType, kNamed, kMember, kInlineMember };
    Kind kind = Kind::kText;
    Value value{};
    std::string_view text{};  // of a type: its name; of a member: what is appended to its name
    uint8_t depth = 0;
  };

  void Push(const Task& task) { tasks_.push_back(task); }
  void PushText(std::string_view text) { Push({Task::Kind::kText, {}, text, 0}); }

  void Carry(const Task& task) {
    switch (task.kind) {
      case Task::Kind::kText:
        out_->append(task.text);
        return;
      case Task::Kind::kOuter:
        return Object(task.value, /*outer=*/true, task.depth);
      case Task::Kind::kType:
      case Task::Kind::kUnionType:
        return WriteType(task);
      case Task::Kind::kNamed:
        return Named(task.value, task.text, task);
      case Task::Kind::kMember:
        return Member(task);
      case Task::Kind::kInlineMember:
        out_->append(task.value.key()).append(task.text).append(": ");
        return Push({Task::Kind::kType, task.value, {}, task.depth});
    }
  }

  void WriteType(const Task& task) {
    constexpr uint8_t kMaxDepth = 96;  // beyond what the reader takes, so only references get there
    const Value schema = definitions_.Resolve(task.value);
    if (task.depth >= kMaxDepth) complete_ = false;
    if (!schema.Is(Type::kObject) || task.depth >= kMaxDepth) {
      out_->append("any");
      return;
    }
    for (const std::string_view key : {std::string_view("anyOf"), std::string_view("oneOf")}) {
      if (schema[key].Is(Type::kArray)) return Union(schema[key], task.depth);
    }
    const Value all = schema["allOf"];
    if (all.Is(Type::kArray) && all.size() == 1) {
      return Push({task.kind, *all.members().begin(), {}, static_cast<uint8_t>(task.depth + 1)});
    }
    if (schema["enum"].Is(Type::kArray)) return Choices(schema["enum"]);
    if (schema["const"]) return AppendValue(schema["const"], out_);
    const Value type = schema["type"];
    if (type.Is(Type::kArray)) return Types(schema, type, task.depth);
    Named(schema, type.text(), task);
  }

  // A type by its name, of a schema that has it.
  void Named(const Value& schema, std::string_view type, const Task& task) {
    if (type == "object" || (type.empty() && schema["properties"].Is(Type::kObject))) {
      return Object(schema, /*outer=*/false, task.depth);
    }
    if (type == "array") return Array(schema, task);
    if (type == "integer") type = "number";
    const bool known = type == "string" || type == "number" || type == "boolean" || type == "null";
    out_->append(known ? type : "any");
  }

  void Array(const Value& schema, const Task& task) {
    // An array among alternatives has no items, unless for GPT-5.
    if (task.kind == Task::Kind::kUnionType && !harmony_) {
      out_->append("array");
      return;
    }
    const Value items = schema["items"];
    PushText("[]");
    if (!items) return PushText("any");
    Push({Task::Kind::kType, items, {}, static_cast<uint8_t>(task.depth + 1)});
  }

  void Union(const Value& alternatives, uint8_t depth) {
    const size_t first = tasks_.size();
    for (const Value alternative : alternatives.members()) {
      if (tasks_.size() > first) PushText(" | ");
      Push({Task::Kind::kUnionType, alternative, {}, static_cast<uint8_t>(depth + 1)});
    }
    std::reverse(tasks_.begin() + static_cast<ptrdiff_t>(first), tasks_.end());
  }

  void Choices(const Value& choices) {
    bool more = false;
    for (const Value choice : choices.members()) {
      if (more) out_->append(" | ");
      AppendValue(choice, out_);
      more = true;
    }
  }

  // "type": ["string", "null"]
  void Types(const Value& schema, const Value& types, uint8_t depth) {
    const size_t first = tasks_.size();
    for (const Value type : types.members()) {
      if (tasks_.size() > first) PushText(" | ");
      Push({Task::Kind::kNamed, schema, type.text(), depth});
    }
    std::reverse(tasks_.begin() + static_cast<ptrdiff_t>(first), tasks_.end());
  }

  Comment MemberComment(const Value& member) const {
    Comment comment = CommentOf(member);
    if (comment.empty() && member["$ref"]) comment = CommentOf(definitions_.Resolve(member));
    return comment;
  }

  // What stands behind a member: "default: 5", "format: date".
  static Value DefaultOf(const Value& member) {
    const Value value = member["default"];
    return value.Is(Type::kNull) ? Value() : value;
  }
  static Value AlternativesOf(const Value& member) {
    const Value any = member["anyOf"];
    return any.Is(Type::kArray) ? any : member["oneOf"];
  }

  void Object(const Value& schema, bool outer, uint8_t depth) {
    const Value properties = schema["properties"];
    const Comment comment = outer ? CommentOf(schema) : Comment();
    if (!properties.Is(Type::kObject) || properties.size() == 0) {
      PushText("object");
      return;
    }
    if (harmony_) AppendComment(comment, out_);
    bool lines = !harmony_ && !comment.empty();
    for (const Value member : properties.members()) {
      if (lines) break;
      lines = !MemberComment(member).empty() || DefaultOf(member) ||
              !StringOf(member, "format").empty();
    }
    out_->append(lines ? "{\n" : "{");
    if (!harmony_) AppendComment(comment, out_);
    Members(properties, RequiredOf(schema), lines, static_cast<uint8_t>(depth + 1));
  }

  static std::vector<std::string_view> RequiredOf(const Value& schema) {
    std::vector<std::string_view> required;
    const Value list = schema["required"];
    required.reserve(list.size());
    for (const Value name : list.members()) required.push_back(name.text());
    std::sort(required.begin(), required.end());
    return required;
  }

  void Members(const Value& properties, absl::Span<const std::string_view> required, bool lines,
               uint8_t depth) {
    const size_t first = tasks_.size();
    for (const Value member : properties.members()) {
      const bool must = std::binary_search(required.begin(), required.end(), member.key());
      if (!lines && tasks_.size() > first) PushText(", ");
      Push({lines ? Task::Kind::kMember : Task::Kind::kInlineMember, member, must ? "" : "?",
            depth});
    }
    PushText("}");
    std::reverse(tasks_.begin() + static_cast<ptrdiff_t>(first), tasks_.end());
  }

  // A member that has a line to itself; alternatives have one each.
  void Member(const Task& task) {
    AppendComment(MemberComment(task.value), out_);
    out_->append(task.value.key()).append(task.text).append(":");
    PushText("\n");
    PushFormat(task.value);
    if (const Value value = DefaultOf(task.value)) {
      PushText(value.Is(Type::kString) ? value.text() : value.source());
      PushText(" // default: ");
    }
    PushText(",");
    const Value alternatives = AlternativesOf(task.value);
    if (harmony_ || alternatives.size() == 0) {
      Push({Task::Kind::kType, task.value, {}, task.depth});
      return PushText(" ");
    }
    const size_t first = tasks_.size();
    for (const Value alternative : alternatives.members()) {
      PushText("\n | ");
      Push({Task::Kind::kType, alternative, {}, static_cast<uint8_t>(task.depth + 1)});
      const size_t behind = tasks_.size();
      PushFormat(alternative);
      std::reverse(tasks_.begin() + static_cast<ptrdiff_t>(behind), tasks_.end());
    }
    PushText("\n");
    std::reverse(tasks_.begin() + static_cast<ptrdiff_t>(first), tasks_.end());
  }

  void PushFormat(const Value& schema) {
    const std::string_view format = StringOf(schema, "format");
    if (format.empty()) return;
    PushText(format);
    PushText(" // format: ");
  }

  Definitions definitions_;
  bool harmony_;
  std::string* out_;
  size_t limit_ = 0;
  bool complete_ = true;
  std::vector<Task> tasks_;
};

}  // namespace

bool AppendFunction(const json::Value& function, bool harmony, std::string* out) {
  const std::string_view description = Trim(StringOf(function, "description"));
  if (!description.empty()) AppendLines(description, out);
  out->append("type ").append(StringOf(function, "name")).append(" = (");
  const Value parameters = function["parameters"];
  bool complete = true;
  if (parameters["properties"].size() > 0) {
    out->append("_: ");
    complete = TypeWriter(parameters, harmony, out).Write(parameters);
  }
  out->append(") => any;\n\n");
  return complete;
}

bool AppendCustomTool(const json::Value& tool, std::string* out) {
  const std::string_view description = Trim(StringOf(tool, "description"));
  if (!description.empty()) AppendLines(description, out);
  const Value format = tool["format"];
  const Value grammar = format["grammar"].Is(Type::kObject) ? format["grammar"] : format;
  const std::string_view definition = StringOf(grammar, "definition");
  if (!definition.empty()) AppendLines(definition, out);
  out->append("type ").append(StringOf(tool, "name")).append(" = (FREEFORM) => any;\n\n");
  return !definition.empty();
}

void AppendCompactJson(std::string_view text, std::string* out) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\' && i + 1 < text.size()) {
      out->push_back(c);
      out->push_back(text[++i]);
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (quoted || !IsBlank(c)) out->push_back(c);
  }
}

void AppendAnswerSchema(const json::Value& schema, std::string* out) {
  enum class What : uint8_t { kSchema, kNamedSchemas, kLiteral };
  struct Frame {
    Value::Iterator next, end;
    What what;
    bool object, first = true;
  };
  std::vector<Frame> open;
  const auto begin = [&](const Value& value, What what) {
    if (!value.Is(Type::kObject) && !value.Is(Type::kArray)) {
      if (!value.Is(Type::kString)) return AppendValue(value, out);
      return json::AppendString(out, value.text());
    }
    const bool object = value.Is(Type::kObject);
    out->push_back(object ? '{' : '[');
    open.push_back({value.members().begin(), value.members().end(), what, object});
  };
  if (schema) begin(schema, What::kSchema);
  while (!open.empty()) {
    Frame& frame = open.back();
    if (!(frame.next != frame.end)) {
      out->push_back(frame.object ? '}' : ']');
      open.pop_back();
      continue;
    }
    const Value value = *frame.next;
    ++frame.next;
    const std::string_view key = frame.object ? value.key() : std::string_view();
    const bool keyword = frame.object && frame.what == What::kSchema;
    if (keyword && (key == "required" || key == "additionalProperties")) continue;
    if (!frame.first) out->push_back(',');
    frame.first = false;
    What what = frame.what == What::kNamedSchemas ? What::kSchema : frame.what;
    if (keyword) {
      if (key == "properties" || key == "$defs" || key == "definitions") what = What::kNamedSchemas;
      if (key == "enum" || key == "const" || key == "default" || key == "examples") {
        what = What::kLiteral;
      }
      json::AppendString(out, key);
      out->push_back(':');
    } else if (frame.object) {
      json::AppendString(out, key);
      out->push_back(':');
    }
    begin(value, what);
  }
}

}  // namespace weir::metering
