#include "ledger/spool.h"

#include <algorithm>
#include <cstring>

namespace weir::ledger {

bool Spool::Add(std::string_view line) {
  if (line.size() > capacity_ - size()) return false;
  if (line.size() > capacity_ + 1 - end_) {
    std::memmove(bytes_.get() + 1, bytes_.get() + begin_, size());
    end_ = 1 + size();
    begin_ = 1;
  }
  std::memcpy(bytes_.get() + end_, line.data(), line.size());
  end_ += line.size();
  ++lines_;
  return true;
}

std::string_view Spool::Front(size_t most, bool after_torn) {
  const std::string_view all(bytes_.get() + begin_, size());
  size_t chosen = all.size();
  if (chosen > most) {
    const size_t last = all.rfind('\n', most - 1);
    chosen = (last != std::string_view::npos ? last : all.find('\n')) + 1;
  }
  if (!after_torn) return all.substr(0, chosen);
  bytes_[begin_ - 1] = '\n';  // the byte of a line that is gone, or the one that is kept for it
  return {bytes_.get() + begin_ - 1, chosen + 1};
}

uint64_t Spool::Remove(size_t size) {
  const std::string_view all(bytes_.get() + begin_, this->size());
  uint64_t gone = 0;
  size_t whole = 0;
  for (size_t feed = all.find('\n'); feed != std::string_view::npos && feed <= size;
       feed = all.find('\n', feed + 1)) {
    whole = feed + 1;
    ++gone;
    if (feed == size) break;
  }
  begin_ += whole;
  lines_ -= gone;
  if (empty()) Clear();
  return gone;
}

}  // namespace weir::ledger
