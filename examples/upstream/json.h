// Reading members of JSON objects that callers send.

#ifndef WEIR_EXAMPLES_UPSTREAM_JSON_H_
#define WEIR_EXAMPLES_UPSTREAM_JSON_H_

#include <rapidjson/document.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace upstream {

// The member of an object; null when it has none of that name, or when it is JSON's null.
inline const rapidjson::Value* FindMember(const rapidjson::Value& object, const char* name) {
  const auto member = object.FindMember(name);
  if (member == object.MemberEnd() || member->value.IsNull()) return nullptr;
  return &member->value;
}

inline std::string_view TextOf(const rapidjson::Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

// nullopt when the member is absent or no text.
inline std::optional<std::string_view> FindText(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value* member = FindMember(object, name);
  if (member == nullptr || !member->IsString()) return std::nullopt;
  return TextOf(*member);
}

// False when the member is absent or no boolean.
inline bool IsTrue(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value* member = FindMember(object, name);
  return member != nullptr && member->IsTrue();
}

}  // namespace upstream

#endif  // WEIR_EXAMPLES_UPSTREAM_JSON_H_
