// weir explain.

#ifndef WEIR_BINDINGS_CLI_EXPLAIN_H_
#define WEIR_BINDINGS_CLI_EXPLAIN_H_

#include <weir.h>

#include <cstdint>
#include <string>
#include <vector>

#include "http_message.h"

namespace weir::cli {

int Explain(const std::vector<std::string>& words);

// What a backend is supposed to do when it is asked.
struct SupposedAnswer {
  std::string said;     // as on the command line
  int32_t failure = 0;  // WEIR_FAILURE_…; 0: it answers
  int32_t status = 0;   // with this
  std::vector<HeaderLine> headers;
};

struct HeaderEdit {
  int32_t operation = 0;  // WEIR_HEADER_…
  std::string name, value;
};

// One action of the engine, with its views copied.
struct Action {
  weir_action action = {};
  std::string url, target, body;
  std::vector<HeaderEdit> headers;
  int64_t wait_ms = 0;  // WAIT
  const SupposedAnswer* answer =
      nullptr;  // FORWARD: what comes back; null: nothing more is supposed
};

// Everything about one request, in the order in which it happened.
struct Story {
  HttpRequest request;
  std::vector<Action> actions;
  std::string explanation;  // weir_txn_explain's
  std::vector<std::string> notes;
  std::vector<std::string> secrets;  // which the story must not show
};

// Plays the request to an engine of its own; counters begin empty. False, and why, when the policy
// is at fault.
bool Play(const std::string& policy, const std::vector<SupposedAnswer>& answers, Story* story,
          std::string* why);

std::string StoryText(const Story& story);
std::string StoryJson(const Story& story);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_EXPLAIN_H_
