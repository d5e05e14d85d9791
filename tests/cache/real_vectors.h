// Vectors that embedding services gave, as recorded.

#ifndef WEIR_TESTS_CACHE_REAL_VECTORS_H_
#define WEIR_TESTS_CACHE_REAL_VECTORS_H_

#include <cstdint>
#include <cstring>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/cache/support.h"
#include "tests/support/shared_data.h"

namespace weir::cache {

// All that were recorded, by model and dimensions.
inline std::map<std::pair<std::string, size_t>, std::vector<Vector>> RealVectors() {
  std::map<std::pair<std::string, size_t>, std::vector<Vector>> all;
  const auto bytes = testing::SharedData("real_embeddings.jsonl");
  if (!bytes) return all;
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::istringstream lines(*bytes);
  for (std::string line; std::getline(lines, line);) {
    const auto field = [&](const std::string& name) {
      const std::string before = std::string("\"").append(name).append("\": \"");
      const size_t at = line.find(before) + before.size();
      return line.substr(at, line.find('"', at) - at);
    };
    std::string raw;
    uint32_t bits = 0;
    int count = 0;
    for (const char c : field("vec_f32le_b64")) {
      const size_t digit = kDigits.find(c);
      if (digit == std::string_view::npos) break;
      bits = bits << 6 | static_cast<uint32_t>(digit);
      count += 6;
      if (count < 8) continue;
      count -= 8;
      raw.push_back(static_cast<char>(bits >> count));
    }
    Vector vector(raw.size() / 4);
    std::memcpy(vector.data(), raw.data(), vector.size() * 4);
    Normalise(&vector);
    all[{field("model"), vector.size()}].push_back(std::move(vector));
  }
  return all;
}

}  // namespace weir::cache

#endif  // WEIR_TESTS_CACHE_REAL_VECTORS_H_
