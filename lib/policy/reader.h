// Reads typed fields out of a policy's JSON and collects what is wrong with them.

#ifndef WEIR_LIB_POLICY_READER_H_
#define WEIR_LIB_POLICY_READER_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "base/json.h"
#include "weir/policy.h"

namespace weir::policy {

// Where in the document a value stands: the value, and the path of names that leads to it.
struct Place {
  json::Value value;
  std::string path;

  Place Member(json::Value member) const;
  Place Element(json::Value element, size_t index) const;
};

// One known key of an object: what reads it, and whether it must be there.
struct Field {
  std::string_view key;
  std::function<void(const Place&)> read;
  bool required = false;
};

class Reader {
 public:
  Reader(const json::Document& document, std::vector<Fault>* faults)
      : document_(document), faults_(faults) {}

  void Complain(const Place& place, std::string message);
  // At the member's key instead of its value.
  void ComplainOfKey(const Place& place, std::string message);
  // "unknown …" with the nearest of the known words.
  void ComplainUnknown(const Place& place, std::string_view what, std::string_view word,
                       absl::Span<const std::string_view> known);

  // An object with these keys and no others.
  void Object(const Place& place, std::initializer_list<Field> fields);
  // An object whose keys are names that the document chooses.
  void Map(const Place& place,
           const std::function<void(std::string_view name, const Place&)>& read);
  void Array(const Place& place, const std::function<void(const Place&)>& read);

  // The scalars: each leaves `out` alone and complains when the value is not what it should be.
  void String(const Place& place, std::string* out);
  void Bool(const Place& place, bool* out);
  void Integer(const Place& place, uint64_t least, uint64_t most, uint64_t* out);
  void Duration(const Place& place, int64_t least_ns, int64_t most_ns, int64_t* out);
  void Bytes(const Place& place, uint64_t least, uint64_t most, uint64_t* out);
  // An amount of US dollars as exact micro-USD.
  void Dollars(const Place& place, uint64_t most_usd, std::optional<uint64_t>* out);
  // A decimal from 0 to 1 with at most six digits behind the point.
  void Share(const Place& place, double* out);
  // One of `words`; `out` receives its index.
  void Word(const Place& place, absl::Span<const std::string_view> words, size_t* out);

 private:
  bool Expect(const Place& place, json::Type type);
  void ComplainAt(size_t offset, const std::string& path, std::string message);

  const json::Document& document_;
  std::vector<Fault>* faults_;
};

}  // namespace weir::policy

#endif  // WEIR_LIB_POLICY_READER_H_
