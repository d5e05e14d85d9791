// A chat request as the provider understands it, and the answer it makes up for it.

#ifndef WEIR_EXAMPLES_UPSTREAM_CHAT_H_
#define WEIR_EXAMPLES_UPSTREAM_CHAT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "upstream/token_counter.h"

namespace upstream {

struct ChatRequest {
  std::string model;
  bool stream = false;
  bool include_usage = false;
  int64_t n = 1;
  int64_t max_tokens = 0;  // 0: the request names none
  int64_t prompt_tokens = 0;
  uint64_t prompt_hash = 0;
};

// Reads a request body; `path_model` is the model of an Azure path, which the body need not repeat.
// Answers what is wrong with it, "" when nothing is.
std::string ReadChatRequest(std::string_view body, std::string_view path_model,
                            ChatRequest* request);

// One choice of an answer: its text in the pieces that a stream sends, each with its tokens. No
// piece shares a token with its neighbour, so the counts of pieces add up to that of the text.
struct Choice {
  std::vector<std::string> pieces;
  std::vector<int64_t> piece_tokens;
  bool cut_by_max_tokens = false;

  std::string Text() const;
  int64_t Tokens() const;
};

// The answer depends on seed, prompt and index of the choice alone. `wanted_tokens` 0 means 24 to
// 56, drawn likewise.
Choice MakeChoice(const ChatRequest& request, int64_t seed, int64_t index, int64_t wanted_tokens,
                  const TokenCounter& counter);

// The most that an answer to this request can cost, prompt included.
int64_t MaxCost(const ChatRequest& request, int64_t wanted_tokens);

}  // namespace upstream

#endif  // WEIR_EXAMPLES_UPSTREAM_CHAT_H_
