// The events of a responses stream, written.

#ifndef WEIR_LIB_DIALECTS_RESPONSES_EVENTS_H_
#define WEIR_LIB_DIALECTS_RESPONSES_EVENTS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "weir/usage.h"

namespace weir::dialects {

// Numbered one after the other, if they are numbered.
class EventWriter {
 public:
  EventWriter(bool numbered, uint64_t next) : numbered_(numbered), next_(next) {}

  // An event up to its own members; to be ended by End.
  json::Writer& Begin(std::string_view type);
  void End();
  json::Writer& writer() { return writer_; }  // of the event under way
  const std::string& out() const { return out_; }

 private:
  const bool numbered_;
  uint64_t next_;
  std::string out_;
  json::Writer writer_{&out_};
};

// A part of a message: {"type":"output_text",…}
std::string OutputTextJson(std::string_view text);

struct ResponseState {
  std::string_view id;
  uint64_t created_at = 0;
  std::string_view model;
  std::string_view status;  // "in_progress", "incomplete", "completed"
  std::string_view output;  // JSON: a list without its brackets
  const Usage* usage = nullptr;
};
// A response with the members that clients require. What it would restate of the request is null
// or empty; an incomplete one reached its maximum of tokens.
void WriteResponseObject(const ResponseState& state, json::Writer* writer);

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_RESPONSES_EVENTS_H_
