// What the verbs share: exit codes, complaints, calls of the C ABI that return text.

#ifndef WEIR_BINDINGS_CLI_CONSOLE_H_
#define WEIR_BINDINGS_CLI_CONSOLE_H_

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "weir.h"

namespace weir::cli {

enum ExitCode : int {
  kDone = 0,
  kFaulty = 1,     // what was asked about is at fault, or could not be read
  kUsage = 2,      // the command line is at fault
  kOverLimit = 3,  // --limit: it does not fit
};

// A weir_error that is ready to be filled.
struct Error : weir_error {
  Error() {
    std::memset(static_cast<weir_error*>(this), 0, sizeof(weir_error));
    size = sizeof(weir_error);
  }
};

// Writes "weir: " and the parts to standard error, around the progress line if one is shown.
void Complain(std::initializer_list<std::string_view> parts);

// Whether standard output took everything; else a complaint.
bool FlushOutput();

std::string Concat(std::initializer_list<std::string_view> parts);

// Both of the system's clocks.
weir_now Now();

// Nothing larger is read into memory as a whole.
inline constexpr size_t kMaxWholeBytes = size_t{256} << 20;

// The bytes of a file, of standard input when it is "-". nullopt, and a complaint, when it cannot
// be read or is larger than kMaxWholeBytes.
std::optional<std::string> ReadWhole(const std::string& path);

// Runs `ask(buffer, capacity, &needed)`, which answers OUT_OF_RANGE while the buffer is too small.
template <typename Text, typename Ask>
weir_status Fetch(Text* text, Ask&& ask) {
  size_t needed = 0;
  weir_status status = WEIR_OUT_OF_RANGE;
  if (text->size() < 256) text->resize(256);
  while ((status = ask(text->data(), text->size(), &needed)) == WEIR_OUT_OF_RANGE) {
    text->resize(needed);
  }
  text->resize(status == WEIR_OK ? needed : 0);
  return status;
}

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_CONSOLE_H_
