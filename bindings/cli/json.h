// As much JSON as the program reads and writes, without a copy of what is not looked at.

#ifndef WEIR_BINDINGS_CLI_JSON_H_
#define WEIR_BINDINGS_CLI_JSON_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

// A member of an object, or an element of an array (without a key), as places in its source.
struct JsonMember {
  std::string key;
  size_t begin = 0, end = 0;  // of the value

  std::string_view In(std::string_view source) const { return source.substr(begin, end - begin); }
};

// Where a source stops being what it should be.
struct JsonFault {
  size_t at = 0;
  std::string_view why;
};

// The members of `source`, which is one object, or one array when `bracket` is '['; values are
// checked to be JSON, to any depth, but for the bytes of strings, which need not be UTF-8.
bool ScanJson(std::string_view source, char bracket, std::vector<JsonMember>* members,
              JsonFault* fault);

// The member called so; null when there is none.
const JsonMember* FindMember(const std::vector<JsonMember>& members, std::string_view key);

// The text of a string with its quotes, which ScanJson has checked. Half of a surrogate pair is
// U+FFFD. Empty when it is no string.
std::string JsonText(std::string_view literal);

// One object by its members, as views into a source that must stay.
class JsonObject {
 public:
  // False when it is none.
  bool Read(std::string_view source);

  // The member's source; empty when there is none.
  std::string_view Field(std::string_view key) const;
  std::string Text(std::string_view key) const { return JsonText(Field(key)); }
  uint64_t Number(std::string_view key) const;  // 0 when it is none
  // Of an array: its elements that are objects.
  std::vector<JsonObject> Objects(std::string_view key) const;

 private:
  std::string_view source_;
  std::vector<JsonMember> members_;
};

// Appends `text` as a string. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string* out, std::string_view text);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_JSON_H_
