// weir count --request: the prompt of whole request bodies.

#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>

#include "console.h"
#include "count.h"
#include "json.h"

namespace weir::cli {
namespace {

// In the order of their numbers, from 1.
constexpr std::array<std::string_view, WEIR_DIALECT_BEDROCK> kDialects = {
    "openai", "azure-openai", "anthropic", "gemini", "bedrock"};
constexpr std::array<std::string_view, WEIR_OPERATION_EMBEDDINGS> kOperations = {
    "chat", "responses", "completions", "embeddings"};

// The number of what an option names; 0 when it is not given, nullopt when there is no such name.
template <typename Names>
std::optional<int32_t> NumberOf(const CountJob& job, std::string_view option, const Names& names) {
  const std::optional<std::string> name = job.line.Value(option);
  if (!name) return 0;
  std::string known;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == *name) return static_cast<int32_t>(i) + 1;
    known.append(i == 0 ? "" : ", ").append(names[i]);
  }
  Complain({"count: ", option, " ", *name, ": there are ", known});
  return std::nullopt;
}

// What weir answered about one body.
struct Answer {
  std::string json;
  std::vector<JsonMember> members;
  bool fits = true;

  std::string_view Field(std::string_view key) const {
    const JsonMember* member = FindMember(members, key);
    return member == nullptr ? std::string_view() : member->In(json);
  }
  std::string Text(std::string_view key) const { return JsonText(Field(key)); }
  uint64_t tokens() const { return ParseNumber(Field("prompt_tokens")).value_or(0); }
};

// "FILE:LINE:COLUMN: …" where the fault has a place.
void ComplainOfBody(const std::string& path, const Error& error) {
  std::string place = path;
  if (error.line != 0) {
    place += Concat({":", std::to_string(error.line), ":", std::to_string(error.column)});
  }
  const std::string_view message = error.message;
  const bool unknown_shape = message.find("dialect and operation") != std::string_view::npos;
  Complain(
      {"count: ", place, ": ", message, unknown_shape ? "; give --dialect and --operation" : ""});
}

bool Ask(const CountJob& job, const weir_request_options& options, const std::string& path,
         Answer* answer) {
  const std::optional<std::string> body = ReadWhole(path);
  if (!body) return false;
  Error error;
  answer->json.clear();
  const weir_status status =
      Fetch(&answer->json, [&](char* buffer, size_t capacity, size_t* needed) {
        return weir_count_request_json(&options, body->data(), body->size(), buffer, capacity,
                                       needed, &error);
      });
  JsonFault fault;
  if (status != WEIR_OK || !ScanJson(answer->json, '{', &answer->members, &fault)) {
    ComplainOfBody(path, error);
    return false;
  }
  answer->fits = !job.limit || answer->tokens() <= *job.limit;
  return true;
}

// How it was read, and with what it was counted: "openai chat, told by its shape; gpt-4o,
// o200k_base".
std::string Description(const Answer& answer) {
  std::string text = Concat({answer.Text("dialect"), " ", answer.Text("operation")});
  if (answer.Field("is_guess") == "true") text += ", told by its shape";
  const std::string model = answer.Text("model");
  const bool known = answer.Field("model_known") == "true";
  return Concat({text, "; ", model.empty() ? "no model named" : model,
                 known ? ", " : ", estimated with ", answer.Text("encoding")});
}

void WriteParts(const Answer& answer) {
  std::vector<JsonMember> parts, fields;
  JsonFault fault;
  const std::string_view array = answer.Field("parts");
  if (!ScanJson(array, '[', &parts, &fault)) return;
  for (const JsonMember& element : parts) {
    const std::string_view part = element.In(array);
    if (!ScanJson(part, '{', &fields, &fault)) return;
    const auto text = [&](std::string_view key) {
      const JsonMember* field = FindMember(fields, key);
      return field == nullptr ? std::string() : JsonText(field->In(part));
    };
    const JsonMember* tokens = FindMember(fields, "tokens");
    std::cout << std::setw(9) << (tokens == nullptr ? std::string_view() : tokens->In(part)) << "  "
              << std::left << std::setw(11) << text("provenance") << "  " << std::setw(11)
              << text("kind") << std::right << (text("path").empty() ? "" : "  ") << text("path")
              << "\n";
  }
}

void WriteText(const CountJob& job, const std::string& path, const Answer& answer, bool several) {
  if (!answer.fits) {
    Complain({"count: ", path, ": more than ",
              std::to_string(*job.limit) + " prompt tokens: over --limit"});
    return;
  }
  if (several) std::cout << std::setw(9);
  std::cout << answer.tokens() << " " << answer.Text("provenance") << "  "
            << (several ? path : std::string()) << (several ? "  (" : "(") << Description(answer)
            << ")\n";
  if (job.line.Has("--parts")) WriteParts(answer);
}

// weir's own object, with the file in front and what came of the limit.
void AppendJson(const CountJob& job, const std::string& path, const Answer& answer,
                std::string* out) {
  out->append("{\"file\":");
  AppendJsonString(out, path);
  if (job.limit) {
    *out += Concat({",\"limit\":", std::to_string(*job.limit)});
    *out += answer.fits ? ",\"fits\":true" : ",\"fits\":false";
  }
  *out += Concat({",", answer.json.substr(1)});
}

}  // namespace

int CountRequests(const CountJob& job) {
  const auto dialect = NumberOf(job, "--dialect", kDialects);
  const auto operation = NumberOf(job, "--operation", kOperations);
  if (!dialect || !operation) return kUsage;
  const std::string model = job.line.Value("--model").value_or("");
  weir_request_options options = {};
  options.size = sizeof(options);
  options.dialect = *dialect;
  options.operation = *operation;
  // 0 is no limit there; above 1 is above 0, too.
  options.limit = job.limit ? std::max<uint64_t>(*job.limit, 1) : 0;
  options.model = model.data();
  options.model_size = model.size();
  options.tokenizer = job.tokenizer.get();

  std::vector<std::string> paths;
  for (const Argument& argument : job.line.arguments()) {
    if (argument.option == "--request" || argument.option.empty()) paths.push_back(argument.value);
  }
  uint64_t total = 0;
  bool all_read = true, all_fit = true;
  std::string answers;
  for (const std::string& path : paths) {
    Answer answer;
    if (!Ask(job, options, path, &answer)) {
      all_read = false;
      continue;
    }
    total += answer.tokens();
    all_fit = all_fit && answer.fits;
    if (job.json) {
      if (!answers.empty()) answers.push_back(',');
      AppendJson(job, path, answer, &answers);
    } else {
      WriteText(job, path, answer, paths.size() > 1);
    }
  }
  if (job.json && paths.size() == 1 && all_read) {
    std::cout << answers << "\n";
  } else if (job.json && paths.size() > 1) {
    // A total that leaves something out is none.
    const std::string sum = all_read && all_fit
                                ? Concat({"\"prompt_tokens\":", std::to_string(total), ","})
                                : std::string();
    std::cout << "{" << sum << "\"requests\":[" << answers << "]}\n";
  } else if (paths.size() > 1 && all_read && all_fit) {
    std::cout << std::setw(9) << total << "  total\n";
  }
  if (!all_read) return kFaulty;
  return all_fit ? kDone : kOverLimit;
}

}  // namespace weir::cli
