// weir count and weir encodings.

#ifndef WEIR_BINDINGS_CLI_COUNT_H_
#define WEIR_BINDINGS_CLI_COUNT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "options.h"
#include "tokenizer_choice.h"

namespace weir::cli {

int Count(const std::vector<std::string>& words);
int Encodings(const std::vector<std::string>& words);

// What the modes of weir count share. Each returns an exit code.
struct CountJob {
  CommandLine line;
  TokenizerChoice tokenizer;
  std::optional<uint64_t> limit;
  bool json = false;
};
int CountTexts(const CountJob& job);
int CountRequests(const CountJob& job);
int CountLines(const CountJob& job);
int DecodeIds(const CountJob& job);

// The ids of a text; with --special, special tokens where their text stands. False, and a complaint
// about `name`, when that fails.
bool EncodeText(const CountJob& job, const weir_tokenizer* tokenizer, const std::string& name,
                std::string_view text, std::vector<uint32_t>* ids);
// "1,2,3"
std::string Joined(const std::vector<uint32_t>& ids, std::string_view between);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_COUNT_H_
