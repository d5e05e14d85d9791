// What the readers of all dialects' requests share: types, counts, and errors that name the field.

#ifndef WEIR_LIB_DIALECTS_REQUEST_READER_H_
#define WEIR_LIB_DIALECTS_REQUEST_READER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/json.h"
#include "weir/dialects.h"

namespace weir::dialects {

// What may stand in a field.
enum : unsigned {
  kNull = 1u << static_cast<unsigned>(json::Type::kNull),
  kBoolean = 1u << static_cast<unsigned>(json::Type::kBool),
  kText = 1u << static_cast<unsigned>(json::Type::kString),
  kList = 1u << static_cast<unsigned>(json::Type::kArray),
  kObject = 1u << static_cast<unsigned>(json::Type::kObject),
};

// Where a value stands: a member or an element of what stands above. Only errors spell it out.
class Place {
 public:
  Place() = default;  // the body
  Place(const Place& above, std::string_view key) : above_(&above), key_(key) {}
  Place(const Place& above, size_t index) : above_(&above), index_(index) {}

  // "messages[2].content", or with dots alone "messages.2.content".
  std::string Spelled(bool brackets) const;

 private:
  const Place* above_ = nullptr;
  std::string_view key_;  // empty: an element
  size_t index_ = 0;
};

// The first error ends the reading: every step returns whether to go on.
class RequestReader {
 public:
  explicit RequestReader(Request* request) : request_(*request) {}

  Request& request() { return request_; }
  absl::Status status() const;

  bool Fail(const Place& place, std::string_view before, std::string_view after);
  bool Missing(const Place& place);
  // The value is one of the types; an absent one passes.
  bool Typed(json::Value value, const Place& place, unsigned allowed);
  // The same, and it has to be there.
  bool Needed(json::Value value, const Place& place, unsigned allowed);

  // Null and absent leave *out as it is.
  bool Text(json::Value value, const Place& place, RecycledString* out);
  bool Flag(json::Value value, const Place& place, bool* out);
  bool Count(json::Value value, const Place& place, uint64_t least, std::optional<uint64_t>* out);

  // The members that dialects have in common.
  bool Model(json::Value value, const Place& place);  // of the body
  bool MaxOutput(json::Value value, const Place& place, uint64_t least);

  // A list of objects, each checked by `check(element, place)`.
  template <typename Check>
  bool Objects(json::Value list, const Place& place, Check check) {
    size_t index = 0;
    for (json::Value element : list.members()) {
      const Place at(place, index++);
      if (!Typed(element, at, kObject) || !check(element, at)) return false;
    }
    return true;
  }
  // Content that is a text, or a list of parts that say what they are: {"type":"text",…}.
  bool Parts(json::Value content, const Place& place, unsigned allowed);

 private:
  bool Brackets() const {
    return request_.dialect != Dialect::kAnthropic && request_.dialect != Dialect::kBedrock;
  }

  Request& request_;
  std::string message_;
  std::string param_;
};

inline Span SpanOf(json::Value value) { return {value.begin_offset(), value.end_offset()}; }

// Each reads one operation of one dialect into reader->request().
bool ReadOpenAiChat(json::Value root, RequestReader* reader);
bool ReadOpenAiResponses(json::Value root, RequestReader* reader);
bool ReadOpenAiCompletions(json::Value root, RequestReader* reader);
bool ReadOpenAiEmbeddings(json::Value root, RequestReader* reader);
bool ReadAnthropicMessages(json::Value root, RequestReader* reader);
bool ReadGeminiGenerate(json::Value root, RequestReader* reader);
bool ReadGeminiEmbed(json::Value root, RequestReader* reader);
bool ReadBedrockConverse(json::Value root, RequestReader* reader);
bool ReadBedrockInvoke(json::Value root, RequestReader* reader);

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_REQUEST_READER_H_
