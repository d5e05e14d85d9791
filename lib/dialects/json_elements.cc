#include "dialects/json_elements.h"

#include <utility>

namespace weir::dialects {

// Takes a byte. True when it opens or closes an element.
bool JsonElements::Step(char byte) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (byte == '\\') {
      escaped_ = true;
    } else if (byte == '"') {
      in_string_ = false;
    }
    return false;
  }
  switch (byte) {
    case '"':
      in_string_ = true;
      strange_ = strange_ || depth_ < 2;
      return false;
    case '{':
    case '[':
      return ++depth_ == 2;
    case '}':
    case ']':
      if (depth_ == 0) return false;
      return --depth_ == 1;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case ',':
      return false;
    default:
      strange_ = strange_ || depth_ < 2;
      return false;
  }
}

JsonElements::Progress JsonElements::Read(std::string_view bytes) {
  if (!element_.empty() || oversize_) {
    element_ = {};
    if (!inside()) {
      oversize_ = false;
      std::string().swap(held_);
    }
  }
  size_t begin = 0;  // of the element, or of what this call brings of it
  for (size_t at = 0; at < bytes.size(); ++at) {
    if (!Step(bytes[at])) continue;
    if (depth_ == 2) {
      begin = at;
      continue;
    }
    const std::string_view rest = bytes.substr(begin, at + 1 - begin);
    oversize_ = oversize_ || held_.size() + rest.size() > max_element_bytes_;
    if (oversize_) {
      element_ = {};
    } else if (held_.empty()) {
      element_ = rest;
    } else {
      held_.append(rest);
      element_ = held_;
    }
    return {at + 1, true};
  }
  if (inside() && !oversize_) {
    held_.append(bytes.substr(begin));
    if (held_.size() > max_element_bytes_) {
      oversize_ = true;
      std::string().swap(held_);
    }
  }
  return {bytes.size(), false};
}

}  // namespace weir::dialects
