#include "metrics/labels.h"

#include "base/text.h"

namespace weir::metrics {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Copies `value` to `out` as a label holds it: UTF-8, cut between characters. Returns the size.
size_t CopyClean(std::string_view value, char* out) {
  // What a cut here breaks lies beyond the limit, as nothing gets shorter by cleaning.
  value = value.substr(0, kMaxLabelValueBytes + 4);
  size_t size = 0;
  while (!value.empty()) {
    const size_t room = kMaxLabelValueBytes - size;
    const std::string_view valid = value.substr(0, FindInvalidUtf8(value));
    const size_t taken = Utf8Prefix(valid, room);
    std::memcpy(out + size, valid.data(), taken);
    size += taken;
    if (taken < valid.size() || valid.size() == value.size()) break;
    if (kMaxLabelValueBytes - size < kReplacement.size()) break;
    std::memcpy(out + size, kReplacement.data(), kReplacement.size());
    size += kReplacement.size();
    value.remove_prefix(valid.size() + 1);
  }
  return size;
}

}  // namespace

CleanLabels::CleanLabels(LabelValues labels) : count_(labels.size()) {
  for (size_t i = 0; i < count_; ++i) {
    const std::string_view value = labels[i];
    if (value.size() <= kMaxLabelValueBytes && FindInvalidUtf8(value) == std::string_view::npos) {
      values_[i] = value;
      continue;
    }
    char* out = bytes_.data() + i * kMaxLabelValueBytes;
    values_[i] = std::string_view(out, CopyClean(value, out));
  }
}

}  // namespace weir::metrics
