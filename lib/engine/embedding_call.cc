#include "engine/embedding_call.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/json.h"
#include "weir/cache.h"

namespace weir::engine {

std::string EmbeddingBody(const policy::Embedding& embedding, std::string_view text) {
  std::string body;
  json::Writer writer(&body);
  writer.BeginObject().Key("model").String(embedding.model);
  writer.Key("input").String(text);
  writer.Key("encoding_format").String("float");
  if (embedding.asks_dimensions) writer.Key("dimensions").Uint(embedding.dimensions);
  writer.EndObject();
  return body;
}

bool ReadEmbedding(std::string_view body, std::vector<float>* vector) {
  vector->clear();
  json::Document document;
  json::ParseError error;
  if (!document.ParseBorrowed(body, {.allow_duplicate_keys = true}, &error)) return false;
  const json::Value data = document.root()["data"];
  if (!data.Is(json::Type::kArray) || data.size() == 0) return false;
  const json::Value numbers = (*data.members().begin())["embedding"];
  if (!numbers.Is(json::Type::kArray) || numbers.size() > cache::kMaxDimensions) return false;
  vector->reserve(numbers.size());
  for (const json::Value number : numbers.members()) {
    if (!number.Is(json::Type::kNumber)) return false;
    const std::string_view text = number.text();
    double component = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), component);
    if (wrong != std::errc() || end != text.data() + text.size()) return false;
    if (std::fabs(component) > std::numeric_limits<float>::max()) return false;
    vector->push_back(static_cast<float>(component));
  }
  return !vector->empty();
}

}  // namespace weir::engine
