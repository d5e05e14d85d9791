#include "console.h"

#include <chrono>
#include <iostream>

#include "input.h"
#include "progress.h"

namespace weir::cli {

void Complain(std::initializer_list<std::string_view> parts) {
  Progress::ClearLine();
  std::cerr << "weir: " << Concat(parts) << "\n";
}

bool FlushOutput() {
  std::cout.flush();
  if (std::cout) return true;
  Complain({"cannot write to standard output"});
  return false;
}

std::string Concat(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text.append(part);
  return text;
}

weir_now Now() {
  const auto since = [](auto instant) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(instant.time_since_epoch()).count();
  };
  return {since(std::chrono::steady_clock::now()), since(std::chrono::system_clock::now())};
}

std::optional<std::string> ReadWhole(const std::string& path) {
  std::optional<Input> input = Input::Open(path);
  if (!input) return std::nullopt;
  constexpr size_t kStep = size_t{256} << 10;
  std::string bytes;
  size_t size = 0;
  for (;;) {
    bytes.resize(size + kStep);
    const std::optional<size_t> got = input->Read(bytes.data() + size, kStep);
    if (!got) return std::nullopt;
    size += *got;
    bytes.resize(size);
    if (*got == 0) return bytes;
    if (size > kMaxWholeBytes) {
      Complain({input->name(), ": larger than 256 MiB, the most that is read as a whole"});
      return std::nullopt;
    }
  }
}

}  // namespace weir::cli
