// Command lines of the examples: "--name value", "--name=value" and switches.

#ifndef WEIR_EXAMPLES_COMMON_FLAGS_H_
#define WEIR_EXAMPLES_COMMON_FLAGS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace examples {

struct Flag {
  std::string_view name;  // "--port"
  bool takes_value;
  // Takes the value ("" for a switch) and answers what is wrong with it, "" when nothing is.
  std::function<std::string(const std::string&)> set;
};

Flag TextFlag(std::string_view name, std::string* target);
Flag NumberFlag(std::string_view name, int64_t min, int64_t max, int64_t* target);
Flag SwitchFlag(std::string_view name, bool* target);

// Sets what the command line says. Answers the first error in one line, "" when there is none.
std::string ParseFlags(int argc, char** argv, const std::vector<Flag>& flags);

// Reads all of `text` as a decimal integer; false when it is not one or is out of range.
bool ParseInteger(std::string_view text, int64_t min, int64_t max, int64_t* number);

}  // namespace examples

#endif  // WEIR_EXAMPLES_COMMON_FLAGS_H_
