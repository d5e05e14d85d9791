#include "options.h"

#include <algorithm>
#include <charconv>

#include "console.h"

namespace weir::cli {
namespace {

// How many letters must be changed, put in or taken out.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j < row.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string Unknown(std::string_view verb, const std::vector<OptionSpec>& specs,
                    std::string_view name) {
  std::string message = Concat({verb, ": there is no option ", name});
  const auto nearest =
      std::min_element(specs.begin(), specs.end(), [&](const auto& a, const auto& b) {
        return Distance(name, a.name) < Distance(name, b.name);
      });
  constexpr size_t kMostChanges = 2;
  if (nearest != specs.end() && Distance(name, nearest->name) <= kMostChanges) {
    message += Concat({"; did you mean ", nearest->name, "?"});
  }
  return Concat({message, " (weir ", verb, " --help lists them)"});
}

}  // namespace

bool CommandLine::Parse(std::string_view verb, const std::vector<OptionSpec>& specs,
                        const std::vector<std::string>& words) {
  bool literal = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (literal || word.size() < 2 || word[0] != '-') {
      arguments_.push_back({{}, word, literal});
      continue;
    }
    if (word == "--") {
      literal = true;
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const auto spec = std::find_if(specs.begin(), specs.end(),
                                   [&](const OptionSpec& known) { return known.name == name; });
    if (spec == specs.end()) {
      Complain({Unknown(verb, specs, name)});
      return false;
    }
    Argument argument = {spec->name, {}, false};
    if (equals != std::string::npos) {
      argument.value = word.substr(equals + 1);
    } else if (spec->takes_value && i + 1 < words.size()) {
      argument.value = words[++i];
    } else if (spec->takes_value) {
      Complain({verb, ": ", name, " needs a value"});
      return false;
    }
    if (!spec->takes_value && equals != std::string::npos) {
      Complain({verb, ": ", name, " takes no value"});
      return false;
    }
    arguments_.push_back(std::move(argument));
  }
  return true;
}

const Argument* CommandLine::Last(std::string_view option) const {
  const auto found = std::find_if(arguments_.rbegin(), arguments_.rend(),
                                  [&](const Argument& a) { return a.option == option; });
  return found == arguments_.rend() ? nullptr : &*found;
}

std::optional<std::string> CommandLine::Value(std::string_view option) const {
  const Argument* last = Last(option);
  if (last == nullptr) return std::nullopt;
  return last->value;
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  if (code != std::errc() || stop != end || text.empty()) return std::nullopt;
  return number;
}

}  // namespace weir::cli
