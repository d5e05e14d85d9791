// Files and standard input, read piece by piece.

#ifndef WEIR_BINDINGS_CLI_INPUT_H_
#define WEIR_BINDINGS_CLI_INPUT_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "progress.h"

namespace weir::cli {

class Input {
 public:
  // "-" is standard input. nullopt, and a complaint, when it cannot be opened.
  static std::optional<Input> Open(const std::string& path);
  Input(Input&& other) noexcept;
  Input& operator=(Input&&) = delete;
  ~Input();

  const std::string& name() const { return name_; }  // as it was given

  // Reads up to `capacity` bytes, 0 at the end. nullopt, and a complaint, when that fails.
  std::optional<size_t> Read(char* bytes, size_t capacity);

 private:
  Input(std::string name, int descriptor);

  std::string name_;
  int descriptor_;
  std::unique_ptr<Progress> progress_;
};

// The lines of an input, with their ends as they are.
class LineReader {
 public:
  explicit LineReader(Input input) : input_(std::move(input)) {}

  enum class Result { kLine, kTooLong, kEnd, kFailed };
  // The next line, valid until the next call. kTooLong: it was passed by.
  Result Next(std::string_view* line);

 private:
  bool Fill();  // false when there is no more, or it failed

  Input input_;
  std::string buffer_;
  size_t begin_ = 0;  // of what was not given yet
  bool failed_ = false;
};

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_INPUT_H_
