#include "weir/policy.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "policy/compiler.h"
#include "policy/lint.h"
#include "policy/reader.h"

namespace weir::policy {
namespace {

constexpr size_t kMaxPolicyBytes = size_t{16} << 20;

bool ReadDocument(std::string_view text, json::Document* document, std::vector<Fault>* faults) {
  if (text.size() > kMaxPolicyBytes) {
    faults->push_back({0, 1, 1, "", "the document is larger than 16 MiB"});
    return false;
  }
  json::ParseError error;
  if (document->Parse(text, {.relaxed = true}, &error)) return true;
  const json::LineColumn at = json::Locate(text, error.offset);
  faults->push_back({error.offset, at.line, at.column, "", error.message});
  return false;
}

void SortByPlace(std::vector<Fault>* faults) {
  std::stable_sort(faults->begin(), faults->end(),
                   [](const Fault& a, const Fault& b) { return a.offset < b.offset; });
}

}  // namespace

std::string FaultText(const Fault& fault) {
  std::string text = Concat({std::to_string(fault.line), ":", std::to_string(fault.column), ": "});
  if (!fault.path.empty()) text += Concat({fault.path, ": "});
  return text + fault.message;
}

std::shared_ptr<Policy> Policy::Parse(std::string_view text, std::vector<Fault>* faults) {
  faults->clear();
  json::Document document;
  return ReadDocument(text, &document, faults) ? Compiled(document, faults) : nullptr;
}

std::vector<Fault> Policy::Warnings(std::string_view text) {
  std::vector<Fault> faults;
  json::Document document;
  if (!ReadDocument(text, &document, &faults)) return {};
  const std::shared_ptr<Policy> policy = Compiled(document, &faults);
  if (policy == nullptr) return {};
  Reader reader(document, &faults);
  const Place root{document.root(), ""};
  Linter(&reader, &policy->plan_, root).Lint();
  SortByPlace(&faults);
  return faults;
}

std::shared_ptr<Policy> Policy::Compiled(const json::Document& document,
                                         std::vector<Fault>* faults) {
  auto policy = std::make_shared<Policy>();
  Reader reader(document, faults);
  Compiler(&reader, &policy->plan_).Compile({document.root(), ""});
  SortByPlace(faults);
  return faults->empty() ? policy : nullptr;
}

absl::Span<const expr::Name> UsageNames() {
  using Kind = expr::Name::Kind;
  constexpr expr::Type kString = expr::Type::kString;
  // In the order of enum Name.
  static const auto* const kNames = new std::vector<expr::Name>{
      {"request.method", Kind::kScalar, kString, {}},
      {"request.path", Kind::kScalar, kString, {}},
      {"request.id", Kind::kScalar, kString, {}},
      {"request.headers", Kind::kOpenMap, kString, {}},
      {"request.query", Kind::kOpenMap, kString, {}},
      {"client.ip", Kind::kScalar, kString, {}},
      {"consumer", Kind::kOpenMap, kString, {}},
      {"route", Kind::kScalar, kString, {}},
      {"model", Kind::kScalar, kString, {}},
      {"backend", Kind::kScalar, kString, {}},
      {"attr", Kind::kOpenMap, kString, {}},
      {"params", Kind::kOpenMap, kString, {}},
      {"body", Kind::kOpenMap, kString, {}},
      {"usage",
       Kind::kFixedMap,
       expr::Type::kInt,
       {"prompt", "completion", "total", "cached", "reasoning"}},
  };
  return *kNames;
}

absl::Span<const expr::Name> Names() {
  return UsageNames().subspan(0, static_cast<size_t>(Name::kUsage));
}

std::optional<uint32_t> Plan::FindLimit(std::string_view name) const {
  for (uint32_t i = 0; i < limits.size(); ++i) {
    if (limits[i].name == name) return i;
  }
  return std::nullopt;
}

const Model* Plan::FindModel(std::string_view name) const {
  for (const Model& model : models) {
    if (model.name == name) return &model;
    for (const std::string& alias : model.aliases) {
      if (alias == name) return &model;
    }
  }
  return nullptr;
}

std::string_view Plan::Resolve(const Text& text) const {
  if (text.secret < 0) return text.literal;
  const std::optional<std::string>& value = secrets[static_cast<size_t>(text.secret)].value;
  return value ? std::string_view(*value) : std::string_view();
}

}  // namespace weir::policy
