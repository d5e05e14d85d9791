// Replays the corpora of all fuzz targets, and some mutations of each input, without a fuzzer. A
// target whose oracle disagrees aborts; its name and its input are printed first.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"
#include "targets.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"

namespace weir::testing {
namespace {

std::vector<std::string> ReadFolder(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs;
  inputs.reserve(files.size());
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// What a fuzzer would do first: bytes changed, cut out, doubled, and inputs joined.
std::string Mutated(std::string input, const std::string& other, Random* random) {
  for (uint64_t n = 1 + random->Below(3); n > 0; --n) {
    const size_t at = random->Below(input.size() + 1);
    switch (random->Below(5)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(random->Below(256));
        break;
      case 1:
        input.erase(at, random->Below(9));
        break;
      case 2:
        input.insert(at, input.substr(at, random->Below(17)));
        break;
      case 3:
        input.insert(at, 1, "\0\xFF\"{}[]:,\\\r\n 0-9e"[random->Below(17)]);
        break;
      default:
        input = input.substr(0, at) + other.substr(std::min(other.size(), at));
        break;
    }
  }
  return input;
}

const std::string* running = nullptr;

// Two hexadecimal digits for each byte, so that `xxd -r -p` makes the input again.
void PrintInput(int /*signal*/) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : *running) {
    const auto byte = static_cast<unsigned char>(c);
    const char digits[] = {kDigits[byte >> 4], kDigits[byte & 15]};
    if (write(STDERR_FILENO, digits, sizeof digits) < 0) return;
  }
}

void Run(const FuzzTarget& target, const std::string& input) {
  running = &input;
  target.run(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

TEST_CASE("corpora and their mutations satisfy every target") {
  const uint64_t rounds = std::getenv("WEIR_LONG") != nullptr ? 100000 : 400;
  std::signal(SIGABRT, PrintInput);
  for (const FuzzTarget& target : kFuzzTargets) {
    const auto inputs = ReadFolder(SourcePath("tests/fuzz/corpus/" + std::string(target.name)));
    REQUIRE(inputs.size() >= 3);
    std::cout << target.name << ": " << inputs.size() << " inputs" << std::endl;
    for (const std::string& input : inputs) Run(target, input);
    Random random(1);
    for (uint64_t round = 0; round < rounds; ++round) {
      const std::string& input = inputs[random.Below(inputs.size())];
      Run(target, Mutated(input, inputs[random.Below(inputs.size())], &random));
    }
    Run(target, "");
  }
}

}  // namespace
}  // namespace weir::testing
