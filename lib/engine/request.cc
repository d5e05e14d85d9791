#include "engine/request.h"

#include <algorithm>

#include "base/text.h"

namespace weir::engine {
namespace {

constexpr size_t kUsualHeaders = 12;

}  // namespace

void HeaderList::Add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size();
  if (entries_.size() >= kMaxHeaders || bytes_ > kMaxHeaderBytes) {
    too_large_ = true;
    return;
  }
  if (entries_.empty()) entries_.reserve(kUsualHeaders);
  char* lower = texts_.Room(name.size());
  std::transform(name.begin(), name.end(), lower, [](char c) { return AsciiLower(c); });
  entries_.push_back({{lower, name.size()}, texts_.Keep(value)});
}

void HeaderList::Clear() {
  texts_.Clear();
  RecycledVector<Entry>().swap(entries_);
  bytes_ = 0;
  too_large_ = false;
}

std::string_view HeaderList::Get(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return entry.value;
  }
  return {};
}

bool HeaderList::Has(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return true;
  }
  return false;
}

std::string Request::QueryParameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    std::string decoded;
    if (pair.substr(0, equals) == name) {
      const std::string_view value = equals < pair.size() ? pair.substr(equals + 1) : "";
      return PercentDecode(value, &decoded) ? decoded : std::string();
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

expr::Value Request::BodyMember(std::string_view path) const {
  if (document_ == nullptr) {
    document_ = std::make_unique<json::Document>();
    document_->Parse(body);
  }
  json::Value value = document_->root();
  for (std::string_view rest = path; value && !rest.empty();) {
    const size_t end = std::min(rest.find('.'), rest.size());
    value = value[rest.substr(0, end)];
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const bool is_text = value && !value.Is(json::Type::kNull) && !value.Is(json::Type::kObject) &&
                       !value.Is(json::Type::kArray);
  return is_text ? expr::Value::String(value.text()) : expr::Value::Null();
}

std::string Request::Target() const {
  return query.empty() ? std::string(path) : Concat({path, "?", query});
}

expr::Value RequestEnvironment::Lookup(uint32_t name, std::string_view member) const {
  const auto text = [](std::string_view value) {
    return value.empty() ? expr::Value::Null() : expr::Value::String(value);
  };
  switch (static_cast<policy::Name>(name)) {
    case policy::Name::kRequestMethod:
      return text(request_.method);
    case policy::Name::kRequestPath:
      return text(request_.path);
    case policy::Name::kRequestId:
      return text(request_.headers.Get("x-request-id"));
    case policy::Name::kRequestHeaders: {
      const std::string lower = AsciiLower(member);
      return request_.headers.Has(lower) ? expr::Value::String(request_.headers.Get(lower))
                                         : expr::Value::Null();
    }
    case policy::Name::kRequestQuery:
      decoded_.push_back(std::make_unique<std::string>(request_.QueryParameter(member)));
      return text(*decoded_.back());
    case policy::Name::kClientIp:
      return text(request_.client);
    case policy::Name::kConsumer:
      if (request_.consumer == nullptr) return expr::Value::Null();
      return member == "id" ? text(request_.consumer->id)
                            : text(request_.consumer->Attribute(member));
    case policy::Name::kRoute:
      return text(request_.route == nullptr ? std::string_view() : request_.route->name);
    case policy::Name::kModel:
      return text(request_.model);
    case policy::Name::kBackend:
      return text(request_.backend);
    case policy::Name::kAttr:
      for (const auto& [key, value] : request_.attributes) {
        if (key == member) return expr::Value::String(value);
      }
      return expr::Value::Null();
    case policy::Name::kParams:
      for (const auto& [key, value] : request_.parameters) {
        if (key == member) return expr::Value::String(value);
      }
      return expr::Value::Null();
    case policy::Name::kBody:
      return request_.BodyMember(member);
    case policy::Name::kUsage:
      return usage_ == nullptr ? expr::Value::Null() : LookupUsage(member);
  }
  return expr::Value::Null();
}

expr::Value RequestEnvironment::LookupUsage(std::string_view member) const {
  const uint64_t value = member == "prompt"       ? usage_->prompt
                         : member == "completion" ? usage_->completion
                         : member == "cached"     ? usage_->cached
                         : member == "reasoning"  ? usage_->reasoning
                                                  : usage_->prompt + usage_->completion;
  // No provider's counts come near it.
  return expr::Value::Int(static_cast<int64_t>(std::min<uint64_t>(value, int64_t{1} << 62)));
}

}  // namespace weir::engine
