// Which encoding a model uses.

#include "weir/tokens.h"

namespace weir::tokens {
namespace {

struct Family {
  std::string_view prefix;
  bool o200k;  // o200k_base; else cl100k_base
};

// The model tables that OpenAI publishes with tiktoken, as families. A name belongs to a family if
// it is the family's or goes on with '-' (a size, a date), ':' (a fine-tune's owner) or '@' (a
// revision); after a prefix that ends in one of those or in '.', anything may follow. "gpt-oss"
// uses o200k_harmony: the ranks of o200k_base, with special tokens that text never becomes.
constexpr Family kFamilies[] = {
    {"gpt-5", true},
    {"gpt-5.", true},
    {"gpt-4.5", true},
    {"gpt-4.1", true},
    {"gpt-4o", true},
    {"chatgpt-4o", true},
    {"gpt-oss", true},
    {"o1", true},
    {"o3", true},
    {"o4-mini", true},
    {"gpt-4", false},
    {"gpt-3.5-turbo", false},
    {"gpt-3.5", false},
    {"gpt-35-turbo", false},
    {"text-embedding-3-", false},
    {"text-embedding-ada-002", false},
    {"davinci-002", false},
    {"babbage-002", false},
};

bool Belongs(std::string_view model, std::string_view prefix) {
  if (model.substr(0, prefix.size()) != prefix) return false;
  if (model.size() == prefix.size()) return true;
  constexpr std::string_view kBoundaries = "-:@";
  const char last = prefix.back();
  return last == '-' || last == '.' ||
         kBoundaries.find(model[prefix.size()]) != std::string_view::npos;
}

}  // namespace

std::string_view EncodingForModel(std::string_view model) {
  constexpr std::string_view kFineTune = "ft:";
  if (model.substr(0, kFineTune.size()) == kFineTune) model.remove_prefix(kFineTune.size());
  const Family* longest = nullptr;
  for (const Family& family : kFamilies) {
    if (Belongs(model, family.prefix) &&
        (longest == nullptr || family.prefix.size() > longest->prefix.size())) {
      longest = &family;
    }
  }
  if (longest == nullptr) return {};
  return longest->o200k ? "o200k_base" : "cl100k_base";
}

}  // namespace weir::tokens
