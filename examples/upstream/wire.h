// The bodies that the provider sends, as OpenAI and as Azure OpenAI write them.

#ifndef WEIR_EXAMPLES_UPSTREAM_WIRE_H_
#define WEIR_EXAMPLES_UPSTREAM_WIRE_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "upstream/chat.h"

namespace upstream {

enum class Dialect { kOpenAi, kAzureOpenAi };

std::string_view DialectName(Dialect dialect);

// One server-sent event and the tokens of answer text in it (0: a frame around the text).
struct Event {
  std::string bytes;
  int64_t tokens = 0;
};

struct Answer {
  Dialect dialect;
  std::string id;
  int64_t created_unix_s = 0;
  const ChatRequest* request = nullptr;
  std::vector<Choice> choices;

  int64_t completion_tokens() const;
};

// A whole answer to a request without `stream`.
std::string CompletionBody(const Answer& answer);

// A streamed answer. Azure opens with a chunk about the prompt that has no choice, id or model.
std::vector<Event> StreamEvents(const Answer& answer);

// {"error": …} in the dialect's shape.
std::string ErrorBody(Dialect dialect, int status, std::string_view message);

// The body of a 429 of the provider's own quota.
std::string ThrottleBody(Dialect dialect, std::chrono::milliseconds retry_after);

}  // namespace upstream

#endif  // WEIR_EXAMPLES_UPSTREAM_WIRE_H_
