#include "expr/schema.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "expr/lexer.h"

namespace weir::expr {
namespace {

std::string Join(absl::Span<const Reference::Part> parts) {
  std::string text;
  for (const Reference::Part& part : parts) {
    if (!text.empty()) text.push_back('.');
    text.append(part.text);
  }
  return text;
}

// `message`, and the nearest of the candidates if one is near.
std::string WithSuggestion(std::string_view message, std::string_view word,
                           absl::Span<const std::string> candidates) {
  const std::vector<std::string_view> views(candidates.begin(), candidates.end());
  const std::string_view nearest = NearestWord(word, views);
  if (nearest.empty()) return std::string(message);
  return Concat({message, "; did you mean '", nearest, "'?"});
}

absl::Status UnknownName(const Reference& reference, absl::Span<const Name> names) {
  std::vector<std::string> candidates;
  for (const Name& name : names) {
    candidates.push_back(name.name);
    for (const std::string& member : name.members) {
      candidates.push_back(Concat({name.name, ".", member}));
    }
  }
  const std::string whole = Join(reference.parts);
  return ErrorAt(reference.parts[0].begin,
                 WithSuggestion(Concat({"unknown name ", Quoted(whole)}), whole, candidates));
}

absl::Status UnknownMember(size_t begin, std::string_view member, const Name& map,
                           absl::Span<const Name> names) {
  std::vector<std::string> candidates = map.members;
  // `request.headers`, a name of its own, reads like a member of `request`.
  const std::string prefix = map.name + ".";
  for (const Name& name : names) {
    if (name.name.compare(0, prefix.size(), prefix) == 0) {
      candidates.push_back(name.name.substr(prefix.size()));
    }
  }
  const std::string message = Concat({"unknown member ", Quoted(member), " of ", Quoted(map.name)});
  return ErrorAt(begin, WithSuggestion(message, member, candidates));
}

absl::Status NoMembers(const Reference& reference, size_t used) {
  const size_t begin =
      used < reference.parts.size() ? reference.parts[used].begin : reference.index_begin;
  const auto parts = absl::MakeConstSpan(reference.parts).first(used);
  return ErrorAt(begin, Concat({Quoted(Join(parts)), " has no members"}));
}

// The member of `name`, the first `used` parts of the reference.
absl::StatusOr<std::string> Member(const Reference& reference, const Name& name, size_t used,
                                   absl::Span<const Name> names) {
  const size_t parts = reference.parts.size() - used;
  if (name.kind == Name::Kind::kScalar) {
    if (parts != 0 || reference.index.has_value()) return NoMembers(reference, used);
    return std::string();
  }
  if (parts == 0 && !reference.index.has_value()) {
    return ErrorAt(reference.parts[0].begin,
                   Concat({Quoted(name.name), " is a map: expected one of its members"}));
  }
  if (parts != 0 && reference.index.has_value()) {
    return NoMembers(reference, reference.parts.size());
  }
  if (name.kind == Name::Kind::kOpenMap) {
    if (parts == 0) return *reference.index;
    return Join(absl::MakeConstSpan(reference.parts).subspan(used));
  }
  std::string member = parts == 0 ? *reference.index : std::string(reference.parts[used].text);
  if (std::find(name.members.begin(), name.members.end(), member) == name.members.end()) {
    const size_t begin = parts == 0 ? reference.index_begin : reference.parts[used].begin;
    return UnknownMember(begin, member, name, names);
  }
  if (parts > 1) return NoMembers(reference, used + 1);
  return member;
}

}  // namespace

absl::StatusOr<Resolved> Resolve(const Reference& reference, absl::Span<const Name> names) {
  std::string prefix = Join(reference.parts);
  for (size_t used = reference.parts.size(); used > 0; --used) {
    const auto* found = std::find_if(names.begin(), names.end(),
                                     [&](const Name& name) { return name.name == prefix; });
    if (found != names.end()) {
      absl::StatusOr<std::string> member = Member(reference, *found, used, names);
      if (!member.ok()) return member.status();
      return Resolved{static_cast<uint32_t>(found - names.begin()), found->type,
                      *std::move(member)};
    }
    const size_t last = reference.parts[used - 1].text.size();
    prefix.resize(prefix.size() - std::min(prefix.size(), last + 1));
  }
  return UnknownName(reference, names);
}

}  // namespace weir::expr
