#include "policy/reader.h"

#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"

namespace weir::policy {
namespace {

constexpr size_t kMaxEntries = 10000;
constexpr size_t kMaxNameBytes = 128;

std::string Join(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : Concat({path, ".", key});
}

std::string WordList(absl::Span<const std::string_view> words) {
  std::string list;
  for (std::string_view word : words) {
    if (!list.empty()) list += ", ";
    list += Concat({"\"", word, "\""});
  }
  return list;
}

// Reads "2.5" as 2500000: a decimal with at most `digits` places, exactly.
bool ParseDecimal(std::string_view text, int digits, uint64_t* scaled) {
  const size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  std::string_view fraction = dot == std::string_view::npos ? "" : text.substr(dot + 1);
  if (fraction.size() > static_cast<size_t>(digits)) return false;
  std::string all(whole);
  all.append(fraction);
  all.append(static_cast<size_t>(digits) - fraction.size(), '0');
  return ParseUint64(all, scaled);
}

std::string UnknownWord(std::string_view what, std::string_view word,
                        absl::Span<const std::string_view> known) {
  std::string message = Concat({"unknown ", what, " \"", word, "\""});
  if (const std::string_view near = NearestWord(word, known); !near.empty()) {
    message += Concat({"; did you mean \"", near, "\"?"});
  } else if (!known.empty() && known.size() <= 16) {
    message += Concat({"; known: ", WordList(known)});
  }
  return message;
}

}  // namespace

Place Place::Member(json::Value member) const { return {member, Join(path, member.key())}; }

Place Place::Element(json::Value element, size_t index) const {
  return {element, Concat({path, "[", std::to_string(index), "]"})};
}

void Reader::ComplainAt(size_t offset, const std::string& path, std::string message) {
  const json::LineColumn at = json::Locate(document_.source(), offset);
  faults_->push_back({offset, at.line, at.column, path, std::move(message)});
}

void Reader::Complain(const Place& place, std::string message) {
  ComplainAt(place.value ? place.value.begin_offset() : 0, place.path, std::move(message));
}

void Reader::ComplainOfKey(const Place& place, std::string message) {
  ComplainAt(place.value.key_begin(), place.path, std::move(message));
}

void Reader::ComplainUnknown(const Place& place, std::string_view what, std::string_view word,
                             absl::Span<const std::string_view> known) {
  Complain(place, UnknownWord(what, word, known));
}

bool Reader::Expect(const Place& place, json::Type type) {
  if (place.value.Is(type)) return true;
  Complain(place, Concat({"expected ", json::TypeName(type), ", found ",
                          json::TypeName(place.value.type())}));
  return false;
}

void Reader::Object(const Place& place, std::initializer_list<Field> fields) {
  if (!Expect(place, json::Type::kObject)) return;
  for (json::Value member : place.value.members()) {
    const Field* known = nullptr;
    for (const Field& field : fields) {
      if (field.key == member.key()) known = &field;
    }
    if (known != nullptr) {
      known->read(place.Member(member));
      continue;
    }
    std::vector<std::string_view> keys;
    for (const Field& field : fields) keys.push_back(field.key);
    ComplainOfKey(place.Member(member), UnknownWord("key", member.key(), keys));
  }
  for (const Field& field : fields) {
    if (field.required && !place.value[field.key]) {
      Complain(place, Concat({"\"", field.key, "\" is missing"}));
    }
  }
}

void Reader::Map(const Place& place,
                 const std::function<void(std::string_view, const Place&)>& read) {
  if (!Expect(place, json::Type::kObject)) return;
  if (place.value.size() > kMaxEntries) return Complain(place, "more than 10,000 entries");
  for (json::Value member : place.value.members()) {
    if (member.key().empty() || member.key().size() > kMaxNameBytes) {
      Complain(place.Member(member), "a name has 1 to 128 bytes");
      continue;
    }
    read(member.key(), place.Member(member));
  }
}

void Reader::Array(const Place& place, const std::function<void(const Place&)>& read) {
  if (!Expect(place, json::Type::kArray)) return;
  if (place.value.size() > kMaxEntries) return Complain(place, "more than 10,000 entries");
  size_t index = 0;
  for (json::Value element : place.value.members()) read(place.Element(element, index++));
}

void Reader::String(const Place& place, std::string* out) {
  if (Expect(place, json::Type::kString)) *out = std::string(place.value.text());
}

void Reader::Bool(const Place& place, bool* out) {
  if (Expect(place, json::Type::kBool)) *out = place.value.boolean();
}

void Reader::Integer(const Place& place, uint64_t least, uint64_t most, uint64_t* out) {
  if (!Expect(place, json::Type::kNumber)) return;
  const std::optional<uint64_t> number = place.value.Uint();
  if (!number || *number < least || *number > most) {
    return Complain(place, Concat({"expected an integer from ", std::to_string(least), " to ",
                                   std::to_string(most), ", found ", place.value.text()}));
  }
  *out = *number;
}

void Reader::Duration(const Place& place, int64_t least_ns, int64_t most_ns, int64_t* out) {
  if (!Expect(place, json::Type::kString)) return;
  const std::optional<int64_t> ns = ParseDurationNs(place.value.text());
  if (!ns) {
    return Complain(place, Concat({"expected a duration such as \"250ms\", \"60s\", \"5m\", \"1h\" "
                                   "or \"PT1M\", found \"",
                                   place.value.text(), "\""}));
  }
  if (*ns < least_ns || *ns > most_ns) {
    return Complain(place, Concat({"expected a duration from ", FormatResetDuration(least_ns),
                                   " to ", FormatResetDuration(most_ns)}));
  }
  *out = *ns;
}

void Reader::Bytes(const Place& place, uint64_t least, uint64_t most, uint64_t* out) {
  if (place.value.Is(json::Type::kNumber)) return Integer(place, least, most, out);
  if (!Expect(place, json::Type::kString)) return;
  struct Unit {
    std::string_view suffix;
    uint64_t bytes;
  };
  constexpr Unit kUnits[] = {
      {"KiB", uint64_t{1} << 10}, {"MiB", uint64_t{1} << 20}, {"GiB", uint64_t{1} << 30}, {"B", 1}};
  const std::string_view text = place.value.text();
  for (const Unit& unit : kUnits) {
    uint64_t number = 0;
    if (text.size() <= unit.suffix.size() ||
        text.substr(text.size() - unit.suffix.size()) != unit.suffix ||
        !ParseUint64(text.substr(0, text.size() - unit.suffix.size()), &number)) {
      continue;
    }
    const uint64_t bytes = SaturatingMul(number, unit.bytes);
    if (bytes < least || bytes > most) break;
    *out = bytes;
    return;
  }
  Complain(place, Concat({"expected a size such as \"16MiB\", from ", std::to_string(least), " to ",
                          std::to_string(most), " bytes, found \"", text, "\""}));
}

void Reader::Dollars(const Place& place, uint64_t most_usd, std::optional<uint64_t>* out) {
  if (!Expect(place, json::Type::kNumber)) return;
  uint64_t micro_usd = 0;
  if (!ParseDecimal(place.value.text(), 6, &micro_usd) || micro_usd > most_usd * 1'000'000) {
    return Complain(place, Concat({"expected US dollars from 0 to ", std::to_string(most_usd),
                                   " with at most six decimals, found ", place.value.text()}));
  }
  *out = micro_usd;
}

void Reader::Share(const Place& place, double* out) {
  constexpr uint64_t kOne = 1'000'000;
  if (!Expect(place, json::Type::kNumber)) return;
  uint64_t millionths = 0;
  if (!ParseDecimal(place.value.text(), 6, &millionths) || millionths > kOne) {
    return Complain(place,
                    Concat({"expected a number from 0 to 1 with at most six decimals, found ",
                            place.value.text()}));
  }
  *out = static_cast<double>(millionths) / static_cast<double>(kOne);
}

void Reader::Word(const Place& place, absl::Span<const std::string_view> words, size_t* out) {
  if (!Expect(place, json::Type::kString)) return;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == place.value.text()) {
      *out = i;
      return;
    }
  }
  ComplainUnknown(place, "value", place.value.text(), words);
}

}  // namespace weir::policy
