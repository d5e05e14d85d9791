// The sections models, consumers and credentials: facts, callers and secrets.

#include "base/text.h"
#include "policy/compiler.h"
#include "weir/tokens.h"

namespace weir::policy {

void Compiler::ReadModel(std::string_view name, const Place& place) {
  Model model;
  model.name = std::string(name);
  const auto integer = [this](uint64_t most, uint64_t* out) {
    return [this, most, out](const Place& at) { reader_.Integer(at, 1, most, out); };
  };
  reader_.Object(place, {{"encoding",
                          [&](const Place& at) {
                            size_t index = 0;
                            const std::vector<std::string_view> encodings = tokens::EncodingNames();
                            reader_.Word(at, encodings, &index);
                            model.encoding = std::string(encodings[index]);
                          }},
                         {"context", integer(uint64_t{1} << 32, &model.context)},
                         {"max_output", integer(uint64_t{1} << 32, &model.max_output)},
                         {"aliases", [&](const Place& at) { Names(at, &model.aliases); }},
                         {"price", [&](const Place& at) { ReadPrice(at, &model); }}});
  if (model.encoding.empty()) model.encoding = std::string(tokens::EncodingForModel(name));
  plan_.models.push_back(std::move(model));
}

void Compiler::ReadPrice(const Place& place, Model* model) {
  constexpr uint64_t kMostPerMillion = 1'000'000;
  const auto dollars = [this](std::optional<uint64_t>* out) {
    return [this, out](const Place& at) { reader_.Dollars(at, kMostPerMillion, out); };
  };
  reader_.Object(place, {{"input", dollars(&model->price_input)},
                         {"cached_input", dollars(&model->price_cached_input)},
                         {"cache_write", dollars(&model->price_cache_write)},
                         {"output", dollars(&model->price_output)}});
}

void Compiler::ReadConsumer(std::string_view id, const Place& place) {
  auth::Consumer consumer;
  consumer.id = std::string(id);
  const auto read_hash = [&](const Place& at) {
    std::string hash;
    reader_.String(at, &hash);
    std::string digest;
    const bool sound = hash.substr(0, 7) == "sha256:" && hash.size() == 7 + 64 &&
                       hash.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
    if (!sound && at.value.Is(json::Type::kString)) {
      return reader_.Complain(at,
                              "expected \"sha256:\" and 64 lower-case hex digits: the key's keyed "
                              "hash, never the key itself");
    }
    consumer.key_hashes.push_back(std::move(hash));
  };
  reader_.Object(place, {{"keys", [&](const Place& at) { reader_.Array(at, read_hash); }, true},
                         {"attributes",
                          [&](const Place& at) {
                            reader_.Map(at, [&](std::string_view name, const Place& value) {
                              std::string text;
                              reader_.String(value, &text);
                              if (name == "id")
                                reader_.Complain(value, "\"id\" is the consumer's name");
                              consumer.attributes.emplace_back(std::string(name), std::move(text));
                            });
                          }},
                         {"models", [&](const Place& at) { Names(at, &consumer.models); }}});
  plan_.consumers.push_back(std::move(consumer));
}

void Compiler::ReadCredential(std::string_view name, const Place& place) {
  Credential credential;
  reader_.Object(
      place, {{"header", [&](const Place& at) { ReadHeaderName(at, &credential.header); }, true},
              {"value", [&](const Place& at) { ReadText(at, &credential.value); }, true}});
  if (credential.value.literal.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    reader_.Complain(place, "the value has a line break or a NUL");
  }
  credential.header = AsciiLower(credential.header);
  credential_names_.push_back(name);
  plan_.credentials.push_back(std::move(credential));
}

}  // namespace weir::policy
