// weir encodings: what there is, and what uses it.

#include <algorithm>
#include <iomanip>
#include <iostream>

#include "console.h"
#include "count.h"
#include "json.h"

namespace weir::cli {
namespace {

constexpr std::string_view kHelp = R"(Usage: weir encodings [--json] [MODEL]...

The built-in encodings with models that use them; or the encoding that each MODEL uses, in any of
its spellings (gpt-4o-2024-08-06, ft:gpt-4o:acme, gpt-35-turbo).

  --json  answer in JSON
  --help  this text

Exit status: 0, 1 when a model is not known, 2 when the command line is wrong.
)";

// Those that people ask for; what they use is asked of weir.
constexpr std::string_view kModels[] = {
    "gpt-5",
    "gpt-4.1",
    "gpt-4o",
    "gpt-4o-mini",
    "chatgpt-4o-latest",
    "o1",
    "o3",
    "o4-mini",
    "gpt-oss-120b",
    "gpt-4",
    "gpt-4-turbo",
    "gpt-3.5-turbo",
    "gpt-35-turbo",
    "text-embedding-3-small",
    "text-embedding-3-large",
    "text-embedding-ada-002",
    "davinci-002",
    "babbage-002",
    "text-davinci-003",
    "text-davinci-002",
    "text-davinci-edit-001",
    "code-davinci-002",
    "text-davinci-001",
    "davinci",
    "gpt-2",
};

// Empty when the model is not known.
std::string EncodingOf(std::string_view model, Error* error) {
  const char* encoding = nullptr;
  size_t size = 0;
  if (weir_encoding_for_model(model.data(), model.size(), &encoding, &size, error) != WEIR_OK) {
    return {};
  }
  return {encoding, size};
}

int ListAll(bool json) {
  std::string out;
  const char* name = nullptr;
  size_t size = 0;
  for (uint32_t i = 0; weir_encoding_name(i, &name, &size) == WEIR_OK; ++i) {
    const std::string_view encoding(name, size);
    std::string models;
    for (const std::string_view model : kModels) {
      Error error;
      if (EncodingOf(model, &error) != encoding) continue;
      models += models.empty() ? "" : json ? "," : ", ";
      if (json) {
        AppendJsonString(&models, model);
      } else {
        models += model;
      }
    }
    if (json) {
      out += out.empty() ? "" : ",";
      out += Concat({"{\"encoding\":\"", encoding, "\",\"models\":[", models, "]}"});
    } else {
      const size_t columns = models.empty() ? size : std::max<size_t>(size, 14);
      out += std::string(encoding) + std::string(columns - size, ' ');
      out += Concat({models.empty() ? "" : "  ", models, "\n"});
    }
  }
  std::cout << (json ? Concat({"[", out, "]\n"}) : out);
  return kDone;
}

int ListModels(const std::vector<std::string>& models, bool json) {
  int code = kDone;
  std::string out;
  for (const std::string& model : models) {
    Error error;
    const std::string encoding = EncodingOf(model, &error);
    if (encoding.empty()) {
      Complain({"encodings: ", error.message,
                "; count with --encoding NAME, or with the model's own --tokenizer FILE"});
      code = kFaulty;
    }
    if (json) {
      out += out.empty() ? "{\"model\":" : ",{\"model\":";
      AppendJsonString(&out, model);
      out += encoding.empty() ? std::string(",\"encoding\":null}")
                              : Concat({",\"encoding\":\"", encoding, "\"}"});
    } else if (!encoding.empty()) {
      out += Concat({model, "  ", encoding, "\n"});
    }
  }
  std::cout << (json ? Concat({"[", out, "]\n"}) : out);
  return code;
}

}  // namespace

int Encodings(const std::vector<std::string>& words) {
  CommandLine line;
  if (!line.Parse("encodings", {{"--json", false}, {"--help", false}}, words)) return kUsage;
  if (line.Has("--help")) {
    std::cout << kHelp;
    return kDone;
  }
  std::vector<std::string> models;
  for (const Argument& argument : line.arguments()) {
    if (argument.option.empty()) models.push_back(argument.value);
  }
  const bool json = line.Has("--json");
  const int code = models.empty() ? ListAll(json) : ListModels(models, json);
  return FlushOutput() ? code : kFaulty;
}

}  // namespace weir::cli
