#include "common/flags.h"

#include <algorithm>
#include <charconv>

namespace examples {

bool ParseInteger(std::string_view text, int64_t min, int64_t max, int64_t* number) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (value < min || value > max) return false;
  *number = value;
  return true;
}

Flag TextFlag(std::string_view name, std::string* target) {
  return {name, true, [target](const std::string& value) {
            *target = value;
            return std::string();
          }};
}

Flag NumberFlag(std::string_view name, int64_t min, int64_t max, int64_t* target) {
  return {name, true, [=](const std::string& value) {
            if (ParseInteger(value, min, max, target)) return std::string();
            return "expected a whole number from " + std::to_string(min) + " to " +
                   std::to_string(max) + ", not \"" + value + "\"";
          }};
}

Flag SwitchFlag(std::string_view name, bool* target) {
  return {name, false, [target](const std::string&) {
            *target = true;
            return std::string();
          }};
}

std::string ParseFlags(int argc, char** argv, const std::vector<Flag>& flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const auto flag = std::find_if(flags.begin(), flags.end(),
                                   [&](const Flag& known) { return known.name == name; });
    if (flag == flags.end()) return "unknown option " + argument + " (see --help)";
    std::string value;
    if (equals != std::string::npos) {
      if (!flag->takes_value) return name + " takes no value";
      value = argument.substr(equals + 1);
    } else if (flag->takes_value) {
      if (i + 1 == argc) return name + " needs a value";
      value = argv[++i];
    }
    const std::string error = flag->set(value);
    if (!error.empty()) return std::string(name).append(": ").append(error);
  }
  return "";
}

}  // namespace examples
