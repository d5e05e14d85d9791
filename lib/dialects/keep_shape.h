// What an object of an answer may hold if the answer is to be kept: an allow-list, as a table.

#ifndef WEIR_LIB_DIALECTS_KEEP_SHAPE_H_
#define WEIR_LIB_DIALECTS_KEEP_SHAPE_H_

#include <cstdint>
#include <string_view>

#include "absl/types/span.h"
#include "base/json.h"
#include "weir/replay.h"

namespace weir::dialects {

enum class Allow : uint8_t {
  kScalar,   // metadata in one value: a string, number, boolean
  kNumber,   // a number
  kText,     // a string: content, which readers tell
  kWord,     // this string alone
  kNothing,  // nothing that says something: null, false, "", [], {}
  kObject,   // an object of this shape
  kArray,    // an array of objects of this shape
  kCounts,   // a usage: numbers at any depth, and the few words that are known there
  kFilters,  // Azure's results of content filters, by their names: nothing filtered or detected
  kRequest,  // the request restated: the client knows it
  kJudged,   // looked at elsewhere
};

// Each may be null or empty instead. Members that a shape does not name have to be.
struct Shape;
struct Member {
  std::string_view key;
  Allow allow = Allow::kScalar;
  NotKept otherwise = NotKept::kUnknownContent;
  const Shape* shape = nullptr;
  std::string_view word{};
};
struct Shape {
  absl::Span<const Member> members;
};

// Whether `object` has that shape. Of an event of a stream, what templates pass over
// (answer_template.h) may stand in it as well: what comes alike is not looked at. A key that is
// repeated is never allowed: whose client reads which of them, nobody knows.
NotKept CheckShape(json::Value object, const Shape& shape, bool event);

// null, "", [] or {}; or absent.
bool IsEmpty(json::Value value);

// What a type of event, item, block or part, or a reason to finish, says is in an answer that is
// not kept for it.
NotKept ReasonOf(std::string_view type, NotKept otherwise);

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_KEEP_SHAPE_H_
