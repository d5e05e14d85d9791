// Reading the objects of a tokenizer.json with errors that name the field.

#ifndef WEIR_LIB_TOKENS_LOADED_JSON_FIELDS_H_
#define WEIR_LIB_TOKENS_LOADED_JSON_FIELDS_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/json.h"

namespace weir::tokens {

// The first thing that went wrong while a file was read; readers go on with defaults after it.
class LoadErrors {
 public:
  // The file is not what it should be.
  void Invalid(std::string_view path, std::string_view what);
  // It asks for what is not done here.
  void Unsupported(std::string_view path, std::string_view what);
  // A status from elsewhere, with the path put before its message.
  void Take(std::string_view path, const absl::Status& status);

  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
};

// One object and where it is ("model", "pre_tokenizer.pretokenizers[1]").
class Fields {
 public:
  Fields(json::Value object, std::string path, LoadErrors* errors);

  const std::string& path() const { return path_; }
  json::Value Get(std::string_view key) const { return object_[key]; }
  std::string PathOf(std::string_view key) const;
  LoadErrors* errors() const { return errors_; }

  // Each gives the default when the field is absent or null, and records an error when it is of
  // another type.
  bool Bool(std::string_view key, bool default_value) const;
  std::string_view Text(std::string_view key) const;
  uint64_t Uint(std::string_view key, uint64_t default_value) const;

  // As those, but an absent field is an error too.
  bool RequiredBool(std::string_view key) const;
  std::string_view RequiredText(std::string_view key) const;
  json::Value RequiredArray(std::string_view key) const;

  // Records any field that is not one of these: it may ask for something.
  void AllowOnly(std::initializer_list<std::string_view> keys) const;

 private:
  json::Value object_;
  std::string path_;
  LoadErrors* errors_;
};

std::string ItemPath(std::string_view path, size_t index);

// A finite number, as the format's own library reads it (serde_json: the first 19 digits or so,
// then scaled once), which is not always the nearest double; false for anything else. Scores that
// are equal there are equal here.
bool ReadScore(json::Value value, double* score);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_JSON_FIELDS_H_
