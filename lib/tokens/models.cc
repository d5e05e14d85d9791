// Which encoding a model uses.

#include "base/text.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

struct Family {
  std::string_view prefix;
  std::string_view encoding;
};

constexpr std::string_view kO200k = "o200k_base", kCl100k = "cl100k_base", kP50k = "p50k_base",
                           kP50kEdit = "p50k_edit", kR50k = "r50k_base";

// The model tables that OpenAI publishes with tiktoken, as families. A name belongs to a family if
// it is the family's or goes on with '-' (a size, a date), ':' (a fine-tune's owner) or '@' (a
// revision); after a prefix that ends in one of those or in '.', anything may follow.
constexpr Family kFamilies[] = {
    {"gpt-5", kO200k},
    {"gpt-5.", kO200k},
    {"gpt-4.5", kO200k},
    {"gpt-4.1", kO200k},
    {"gpt-4o", kO200k},
    {"chatgpt-4o", kO200k},
    {"codex-mini", kO200k},
    {"computer-use-preview", kO200k},
    {"gpt-oss", "o200k_harmony"},
    {"o1", kO200k},
    {"o3", kO200k},
    {"o4-mini", kO200k},
    {"gpt-4", kCl100k},
    {"gpt-3.5-turbo", kCl100k},
    {"gpt-3.5", kCl100k},
    {"gpt-35-turbo", kCl100k},
    {"text-embedding-3-", kCl100k},
    {"text-embedding-ada-002", kCl100k},
    {"davinci-002", kCl100k},
    {"babbage-002", kCl100k},
    {"text-davinci-003", kP50k},
    {"text-davinci-002", kP50k},
    {"text-davinci-001", kR50k},
    {"text-curie-001", kR50k},
    {"text-babbage-001", kR50k},
    {"text-ada-001", kR50k},
    {"davinci", kR50k},
    {"curie", kR50k},
    {"babbage", kR50k},
    {"ada", kR50k},
    {"code-davinci-", kP50k},
    {"code-cushman-", kP50k},
    {"davinci-codex", kP50k},
    {"cushman-codex", kP50k},
    {"text-davinci-edit-", kP50kEdit},
    {"code-davinci-edit-", kP50kEdit},
    {"text-similarity-", kR50k},
    {"text-search-", kR50k},
    {"code-search-", kR50k},
    {"gpt2", kR50k},
    {"gpt-2", kR50k},
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
  return longest == nullptr ? std::string_view() : longest->encoding;
}

std::string ModelHint(std::string_view name) {
  // Longer names than any model's are not worth reading.
  constexpr size_t kMaxBytes = 256;
  constexpr std::string_view kSeparators = "-_./";
  if (name.size() > kMaxBytes || !EncodingForModel(name).empty()) return "";
  std::string spelled;
  for (const char c : AsciiLower(name)) {
    // "gpt4o", "gpt35-turbo", "gpt_4": what Azure lets people write.
    const bool is_digit = c >= '0' && c <= '9';
    const bool after_gpt =
        spelled.size() >= 3 && spelled.compare(spelled.size() - 3, 3, "gpt") == 0;
    if (after_gpt && (is_digit || c == '_')) spelled += '-';
    if (!after_gpt || c != '_') spelled += c;
  }
  for (size_t at = 0; at < spelled.size(); ++at) {
    if (at > 0 && kSeparators.find(spelled[at - 1]) == std::string_view::npos) continue;
    const std::string_view rest = std::string_view(spelled).substr(at);
    // The old models' names are words that people use.
    const bool is_telling = rest.find_first_of("0123456789") != std::string_view::npos;
    if (is_telling && !EncodingForModel(rest).empty()) return std::string(rest);
  }
  return "";
}

}  // namespace weir::tokens
