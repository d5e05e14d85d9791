// The command line of a verb: which options there are, and what was said.

#ifndef WEIR_BINDINGS_CLI_OPTIONS_H_
#define WEIR_BINDINGS_CLI_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

struct OptionSpec {
  std::string_view name;  // with its dashes
  bool takes_value = false;
  unsigned modes = ~0u;  // of the verb, in which it may be used: bits that the verb chooses
};

struct Argument {
  std::string_view option;  // a spec's name; empty: an argument that is none
  std::string value;
  bool is_literal = false;  // stood after "--"
};

class CommandLine {
 public:
  // Reads "--name VALUE", "--name=VALUE" and "--name". False, and a complaint in the name of
  // `verb`, when an option is not known or has no value.
  bool Parse(std::string_view verb, const std::vector<OptionSpec>& specs,
             const std::vector<std::string>& words);

  const std::vector<Argument>& arguments() const { return arguments_; }
  bool Has(std::string_view option) const { return Last(option) != nullptr; }
  // The value of the last one; nullopt when there is none.
  std::optional<std::string> Value(std::string_view option) const;

 private:
  const Argument* Last(std::string_view option) const;

  std::vector<Argument> arguments_;
};

// A number of decimal digits, and nothing else.
std::optional<uint64_t> ParseNumber(std::string_view text);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_OPTIONS_H_
