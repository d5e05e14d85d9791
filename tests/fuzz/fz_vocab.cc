// Tokenizer files: any bytes → a tokenizer that counts as it encodes, or an error in words.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "weir/tokenizer_files.h"
#include "weir/tokens.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view kTexts[] = {"",
                                       "Hello, world 123",
                                       "  two\n\nlines\t",
                                       "\xE4\xBD\xA0\xE5\xA5\xBD \xD0\x96 e\xCC\x81",
                                       "\xFF\xC0 ill-formed \xE4\xB8",
                                       "<s>[INST]<|im_start|>\xE2\x96\x81"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto loaded = weir::tokens::LoadTokenizer("fuzzed", bytes);
  if (!loaded.ok()) {
    Require(!loaded.status().message().empty());
    return 0;
  }
  for (const std::string_view text : kTexts) {
    std::vector<uint32_t> ids;
    const size_t count = (*loaded)->Encode(text, &ids);
    Require(count == ids.size());
    Require((*loaded)->Count(text) == ids.size());
    for (const uint32_t id : ids) (*loaded)->TokenBytes(id);
  }
  return 0;
}
