// The objects of a JSON array that arrives in parts, as Gemini streams its answers when it is not
// asked for server-sent events.
//
// Only brackets and strings are looked at: whether an element is JSON is for its parser to say.

#ifndef WEIR_LIB_DIALECTS_JSON_ELEMENTS_H_
#define WEIR_LIB_DIALECTS_JSON_ELEMENTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::dialects {

class JsonElements {
 public:
  // An element larger than this is passed by unread.
  explicit JsonElements(size_t max_element_bytes) : max_element_bytes_(max_element_bytes) {}

  void set_max_element_bytes(size_t bytes) { max_element_bytes_ = bytes; }

  struct Progress {
    size_t consumed = 0;
    bool element_end = false;  // element() is what ended here
  };
  // Consumes `bytes` up to the end of an element. Call again with the rest.
  Progress Read(std::string_view bytes);

  // An object with its brackets; empty when it was too large. Valid until the next Read, and as
  // long as the bytes given to the last Read are.
  std::string_view element() const { return element_; }
  // Inside an element, which the body's end would leave unread.
  bool inside() const { return depth_ >= 2; }
  // Before the array, or after it.
  bool outside() const { return depth_ == 0; }
  // Something stood beside the elements that is no comma.
  bool strange() const { return strange_; }

 private:
  bool Step(char byte);

  size_t max_element_bytes_;
  uint64_t depth_ = 0;  // brackets open, the array's among them
  bool in_string_ = false;
  bool escaped_ = false;
  bool oversize_ = false;
  bool strange_ = false;
  std::string held_;  // of the element under way, what earlier calls brought
  std::string_view element_;
};

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_JSON_ELEMENTS_H_
