// Recorded data that is not part of the project: tests read it when it lies beside the project's
// root and say so in one line when it does not.

#ifndef WEIR_TESTS_SUPPORT_SHARED_DATA_H_
#define WEIR_TESTS_SUPPORT_SHARED_DATA_H_

#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

namespace weir::testing {

// Where a file of the source tree lies.
std::string SourcePath(const std::string& path);

inline std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

inline std::string SharedDataPath(const std::string& name) {
  return SourcePath("../shared/data/" + name);
}

// The bytes of the shared file `name` ("token_vectors.jsonl"); nullopt and one line on stderr when
// it is not there.
inline std::optional<std::string> SharedData(const std::string& name) {
  auto bytes = ReadFile(SharedDataPath(name));
  if (!bytes) std::cerr << "skipped: shared/data/" << name << " is not beside the project\n";
  return bytes;
}

}  // namespace weir::testing

#endif  // WEIR_TESTS_SUPPORT_SHARED_DATA_H_
