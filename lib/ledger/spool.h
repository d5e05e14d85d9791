// Lines that wait for a disk, in order, in memory of a fixed size.

#ifndef WEIR_LIB_LEDGER_SPOOL_H_
#define WEIR_LIB_LEDGER_SPOOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace weir::ledger {

class Spool {
 public:
  // The memory is not touched before it is needed.
  explicit Spool(size_t capacity) : capacity_(capacity), bytes_(new char[capacity + 1]) {}

  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  uint64_t lines() const { return lines_; }
  size_t capacity() const { return capacity_; }

  // False when there is no room. `line` ends in a line feed.
  bool Add(std::string_view line);

  // Whole lines from the front, of at most `most` bytes together, but at least one; with a line
  // feed before them if `after_torn`. Until the next call that changes it.
  std::string_view Front(size_t most, bool after_torn);

  // The first `size` bytes are written. A line that is written but for its line feed goes too.
  // Returns how many lines went.
  uint64_t Remove(size_t size);

  void Clear() { begin_ = end_ = 1, lines_ = 0; }

 private:
  const size_t capacity_;
  const std::unique_ptr<char[]> bytes_;  // the first one is the line feed of Front
  size_t begin_ = 1, end_ = 1;
  uint64_t lines_ = 0;
};

}  // namespace weir::ledger

#endif  // WEIR_LIB_LEDGER_SPOOL_H_
