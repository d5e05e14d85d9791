// A line on standard error that says how far reading has come.

#ifndef WEIR_BINDINGS_CLI_PROGRESS_H_
#define WEIR_BINDINGS_CLI_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace weir::cli {

// Shown only when standard error is a terminal and there is more than a moment's worth to read.
class Progress {
 public:
  // `total_bytes`: 0 when it is not known.
  Progress(std::string name, uint64_t total_bytes);
  ~Progress() { ClearLine(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Add(uint64_t bytes);

  // Takes the line away, so that something else can be written.
  static void ClearLine();

 private:
  void Draw(std::chrono::steady_clock::time_point now) const;

  const std::string name_;
  const uint64_t total_bytes_;
  const bool is_terminal_;
  uint64_t bytes_ = 0;
  std::chrono::steady_clock::time_point begin_, drawn_;
};

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_PROGRESS_H_
