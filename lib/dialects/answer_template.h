// Reading an event of a stream that is like the one before without parsing it.
//
// The chunks of a stream differ in the text, and in a few members that no reader looks at. So an
// event that was parsed serves as a template: where it had the text, or one of those members, there
// may be another string, or number; all else must be the same bytes. An event that fits means what
// the template meant, but for the text: JSON's grammar has no context, so one well-formed string in
// another's place leaves every other value as it was, and readers ask for values by key and place.
// Whatever does not fit is parsed.
//
// The same holds for the choice's index, which is read; and for blanks before the last bracket,
// which some providers add in varying number.

#ifndef WEIR_LIB_DIALECTS_ANSWER_TEMPLATE_H_
#define WEIR_LIB_DIALECTS_ANSWER_TEMPLATE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/json.h"
#include "dialects/answer.h"

namespace weir::dialects {

// Whether a member of an event by that name is one that no reader looks at.
bool IsPassedOver(std::string_view key);

class AnswerTemplate {
 public:
  // Takes an event that was just read, and what it came to, as the template; or, if it told more
  // than one text, keeps the one before.
  void Learn(std::string_view name, const json::Document& document, const Answer::Event& told);

  // Reads the event into `answer` if it fits. False: it does not, and nothing was told.
  bool Read(std::string_view name, std::string_view data, Answer* answer) const;

 private:
  enum class HoleKind : uint8_t { kText, kString, kNumber, kIndex, kBlanks };
  struct Hole {
    uint16_t bytes_before = 0;  // of what is kept, since the hole before
    HoleKind kind = HoleKind::kBlanks;
  };
  struct Range;
  struct Found;

  static constexpr size_t kMaxBytes = 512;
  static constexpr size_t kMaxHoles = 10;

  static size_t FindHoles(const json::Document& document, const Answer::Event& told,
                          std::array<Range, kMaxHoles>* holes);
  bool Fit(std::string_view data, Found* found) const;

  // The name, then the data without what is in the holes: exactly so many bytes, for this is most
  // of what a stream that waits holds.
  std::unique_ptr<char[]> bytes_;
  uint16_t size_ = 0;
  uint16_t name_bytes_ = 0;
  uint8_t hole_count_ = 0;
  TextKind kind_ = TextKind::kContent;
  uint32_t choice_ = 0;
  uint32_t part_ = 0;
  std::array<Hole, kMaxHoles> holes_;
};

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_ANSWER_TEMPLATE_H_
