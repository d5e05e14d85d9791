// Parts of contents, functions, schemas: what chat completions and responses have in common.

#include <algorithm>
#include <optional>

#include "base/saturating.h"
#include "metering/image_size.h"
#include "metering/prompt_openai.h"
#include "metering/prompt_schema.h"

namespace weir::metering {
namespace {

using dialects::Provenance;
using json::Type;
using json::Value;
using Kind = PromptPart::Kind;

struct Measured {
  uint64_t count = 0;
  Provenance provenance = Provenance::kExact;
};

// Chat: {image_url: {url, detail}}; responses: {image_url: "…", detail} or {file_id}.
Measured ImageOf(const Family& family, const Value& part, uint64_t patch_extra) {
  const Value image = part["image_url"];
  const std::string_view url = TextOf(image.Is(Type::kObject) ? image["url"] : image);
  const Value detail = image.Is(Type::kObject) ? image["detail"] : part["detail"];
  const bool low = TextOf(detail) == "low";
  std::optional<ImageSize> size;
  if (const std::optional<Base64Bytes> bytes = DataUrlBytes(url)) size = ReadImageSize(*bytes);
  Measured measured{ImageTokens(family.image, size, low), Provenance::kUpperBound};
  const bool patches = family.image.kind == ImageRule::Kind::kPatches;
  if (patches) measured.count += patch_extra;
  const bool fixed = low && family.image.kind == ImageRule::Kind::kTiles;
  if (size || fixed) measured.provenance = Provenance::kExact;
  // Newer models have details beyond "high", larger than the table says.
  if (TextOf(detail) == "original") measured.provenance = Provenance::kEstimated;
  if (family.image.kind == ImageRule::Kind::kFlat) measured.provenance = Provenance::kEstimated;
  return measured;
}

// Ten tokens a second; the second is as many bytes as in the poorest format there is.
Measured AudioOf(const Value& part) {
  constexpr uint64_t kWaveBytesPerToken = 800, kBytesPerToken = 100;  // 64 kbit/s, 8 kbit/s
  const Value audio = part["input_audio"];
  const size_t bytes = Base64Bytes(TextOf(audio["data"])).size();
  const bool wave = TextOf(audio["format"]) == "wav";
  return {CeilDiv(bytes, wave ? kWaveBytesPerToken : kBytesPerToken) + 4, Provenance::kUpperBound};
}

// No file has more tokens than bytes, unless its text is compressed; one that is not in the request
// can only be guessed.
Measured FileOf(const Value& part) {
  constexpr uint64_t kRemoteFile = 1105;
  const Value file = part["file"] ? part["file"] : part;
  const std::string_view data = TextOf(file["file_data"]);
  if (data.empty()) return {kRemoteFile, Provenance::kEstimated};
  const std::optional<Base64Bytes> bytes = DataUrlBytes(data);
  return {bytes ? bytes->size() : Base64Bytes(data).size(), Provenance::kUpperBound};
}

// Texts that follow each other in a content run together. The first is only copied when there is a
// second.
class Joined {
 public:
  // False when the part is no text.
  bool Append(const Value& part) {
    const std::string_view type = TextOf(part["type"]);
    std::string_view text;
    if (part.Is(Type::kString)) {
      text = part.text();
    } else if (type == "text" || type == "input_text" || type == "output_text") {
      text = TextOf(part["text"]);
    } else if (type == "refusal") {
      text = TextOf(part["refusal"]);
    } else {
      return false;
    }
    if (first_.empty() && joined_.empty()) {
      first_ = text;
    } else {
      if (joined_.empty()) joined_ = first_;
      joined_.append(text);
    }
    return true;
  }

  uint64_t Take(const Tally& tally) {
    const uint64_t count = tally.Text(joined_.empty() ? first_ : std::string_view(joined_));
    first_ = {};
    joined_.clear();
    return count;
  }

 private:
  std::string_view first_;
  std::string joined_;
};

}  // namespace

std::string_view TextOf(const Value& value) {
  return value.Is(Type::kString) ? value.text() : std::string_view();
}

uint64_t RoleTokens(std::string_view role, const Tally& tally) {
  const bool usual = role == "user" || role == "assistant" || role == "system";
  return usual ? 1 : tally.Text(role);
}

uint64_t CountContent(const Family& family, const Value& content, const Place& place,
                      uint64_t patch_extra, Tally* tally) {
  if (content.Is(Type::kString)) return tally->Text(content.text());
  uint64_t count = 0;
  size_t index = 0;
  Joined text;
  for (const Value part : content.members()) {
    if (tally->full()) break;
    const Place at = place.At("content", index++);
    if (text.Append(part)) continue;
    count += text.Take(*tally);
    const std::string_view type = TextOf(part["type"]);
    Kind kind = Kind::kOther;
    Measured measured{0, Provenance::kEstimated};
    if (type == "image_url" || type == "input_image") {
      kind = Kind::kImage;
      measured = ImageOf(family, part, patch_extra);
    } else if (type == "input_audio") {
      kind = Kind::kAudio;
      measured = AudioOf(part);
    } else if (type == "file" || type == "input_file") {
      kind = Kind::kFile;
      measured = FileOf(part);
    } else {
      measured.count = tally->Text(part.source());
    }
    tally->Add(kind, at, measured.count, measured.provenance);
  }
  return count + text.Take(*tally);
}

bool IsFunctionLike(const Value& tool) {
  const std::string_view type = TextOf(tool["type"]);
  return tool.Is(Type::kObject) && (type.empty() || type == "function" || type == "custom");
}

void AppendFunctionOf(const Value& tool, bool harmony, Functions* functions) {
  ++functions->count;
  if (TextOf(tool["type"]) == "custom") {
    constexpr uint64_t kGrammar = 46;
    const Value custom = tool["custom"].Is(Type::kObject) ? tool["custom"] : tool;
    if (AppendCustomTool(custom, &functions->text)) functions->unwritten += kGrammar;
    functions->provenance = Provenance::kEstimated;  // two bills were seen
    return;
  }
  const Value function = tool["function"].Is(Type::kObject) ? tool["function"] : tool;
  if (!AppendFunction(function, harmony, &functions->text)) {
    functions->provenance = Provenance::kEstimated;
  }
}

void AppendFunctions(const Value& tools, bool harmony, Functions* functions) {
  for (const Value tool : tools.members()) {
    const Value deferred = tool["defer_loading"];
    if (deferred.Is(Type::kBool) && deferred.boolean()) continue;
    if (IsFunctionLike(tool)) AppendFunctionOf(tool, harmony, functions);
  }
}

uint64_t FunctionsTokens(const Functions& functions, bool harmony, const Tally& tally) {
  constexpr std::string_view kOpening = "namespace functions {\n\n";
  constexpr std::string_view kClosing = "} // namespace functions";
  // For GPT-5 the opening does not run together with a comment behind it; what else stands there
  // is not known, its tokens are in the frame.
  std::string text(harmony ? std::string_view() : kOpening);
  text.append(functions.text).append(kClosing);
  return tally.Text(text) + (harmony ? tally.Text(kOpening) : 0) + functions.unwritten;
}

uint64_t AnswerSchemaTokens(const Value& format, const Tally& tally) {
  std::string text = "\n\n";
  const std::string_view description = TextOf(format["description"]);
  if (!description.empty()) text.append("// ").append(description).append("\n");
  AppendAnswerSchema(format["schema"], &text);
  return 1 + tally.Text(TextOf(format["name"])) + tally.Text(text);
}

void CountTexts(const Value& request, std::string_view field, Tally* tally) {
  const Value input = request[field];
  const Place place{field};
  if (input.Is(Type::kString)) {
    tally->Add(Kind::kInput, place, tally->Text(input.text()));
  } else if (input.Is(Type::kArray)) {
    uint64_t tokens = 0;  // an array of numbers is a text that the client has encoded itself
    size_t index = 0;
    for (const Value item : input.members()) {
      if (tally->full()) return;
      const Place at{field, index++};
      if (item.Is(Type::kNumber)) {
        ++tokens;
      } else if (item.Is(Type::kString)) {
        tally->Add(Kind::kInput, at, tally->Text(item.text()));
      } else if (item.Is(Type::kArray)) {
        tally->Add(Kind::kInput, at, item.size());
      } else {
        tally->Add(Kind::kOther, at, tally->Text(item.source()), Provenance::kEstimated);
      }
    }
    if (tokens > 0) tally->Add(Kind::kInput, place, tokens);
  }
  const std::string_view suffix = TextOf(request["suffix"]);
  if (!suffix.empty()) {
    tally->Add(Kind::kInput, Place{"suffix"}, tally->Text(suffix), Provenance::kEstimated);
  }
}

}  // namespace weir::metering
