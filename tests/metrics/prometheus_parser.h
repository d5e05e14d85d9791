// A small strict reader of Prometheus text 0.0.4, written from the format's description and apart
// from the writer: it refuses everything the writer has no reason to say.

#ifndef WEIR_TESTS_METRICS_PROMETHEUS_PARSER_H_
#define WEIR_TESTS_METRICS_PROMETHEUS_PARSER_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::testing {

struct Sample {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  std::string value;
};

struct Exposition {
  std::map<std::string, std::string> help;
  std::map<std::string, std::string> type;
  std::vector<Sample> samples;
};

class PrometheusParser {
 public:
  // nullopt, and `error` says why.
  static std::optional<Exposition> Parse(std::string_view text, std::string* error) {
    PrometheusParser parser(text);
    if (parser.ParseAll()) return parser.result_;
    *error = parser.error_ + " before: " + std::string(parser.rest_.substr(0, 60));
    return std::nullopt;
  }

 private:
  explicit PrometheusParser(std::string_view text) : rest_(text) {}

  bool Fail(const char* why) {
    if (error_.empty()) error_ = why;
    return false;
  }

  bool Take(std::string_view prefix) {
    if (rest_.substr(0, prefix.size()) != prefix) return false;
    rest_.remove_prefix(prefix.size());
    return true;
  }

  static bool NameByte(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (!first && c >= '0' && c <= '9');
  }

  bool Name(std::string* name) {
    name->clear();
    while (!rest_.empty() && NameByte(rest_[0], name->empty())) {
      name->push_back(rest_[0]);
      rest_.remove_prefix(1);
    }
    return !name->empty() || Fail("a name is missing");
  }

  // Up to `end`, with the escapes undone.
  bool Escaped(char end, bool quote_escapes, std::string* text) {
    while (!rest_.empty() && rest_[0] != end) {
      char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '\n') return Fail("a line feed inside a value");
      if (c == '\\') {
        if (rest_.empty()) return Fail("a lone backslash");
        c = rest_[0];
        rest_.remove_prefix(1);
        if (c == 'n') {
          c = '\n';
        } else if (c != '\\' && !(quote_escapes && c == '"')) {
          return Fail("an unknown escape");
        }
      }
      text->push_back(c);
    }
    return Take(std::string_view(&end, 1)) || Fail("an unfinished value");
  }

  // -? digits [. digits], nothing else: no exponents, no blanks.
  bool Decimal(std::string* value) {
    if (Take("-")) value->push_back('-');
    size_t digits = 0;
    bool point = false;
    while (!rest_.empty() && rest_[0] != '\n') {
      const char c = rest_[0];
      if (c == '.' && !point && digits > 0) {
        point = true;
        digits = 0;
      } else if (c >= '0' && c <= '9') {
        ++digits;
      } else {
        return Fail("not a decimal");
      }
      value->push_back(c);
      rest_.remove_prefix(1);
    }
    return digits > 0 || Fail("a decimal without digits");
  }

  bool Comment() {
    const bool is_help = Take("HELP ");
    if (!is_help && !Take("TYPE ")) return Fail("a comment that is neither HELP nor TYPE");
    std::string name;
    if (!Name(&name) || !Take(" ")) return Fail("no blank after a name");
    auto& into = is_help ? result_.help : result_.type;
    if (into.count(name) != 0) return Fail("HELP or TYPE said twice");
    if (!finished_.insert(name + (is_help ? " help" : " type")).second) return Fail("not grouped");
    current_ = name;
    return Escaped('\n', false, &into[name]);
  }

  bool SampleLine() {
    Sample sample;
    if (!Name(&sample.name)) return false;
    if (sample.name.substr(0, current_.size()) != current_) return Fail("outside of its group");
    if (Take("{")) {
      std::set<std::string> names;
      do {
        auto& label = sample.labels.emplace_back();
        if (!Name(&label.first) || !Take("=\"")) return Fail("a label without a value");
        if (label.first.find(':') != std::string::npos) return Fail("a colon in a label");
        if (!names.insert(label.first).second) return Fail("a label said twice");
        if (!Escaped('"', true, &label.second)) return false;
      } while (Take(","));
      if (!Take("}")) return Fail("labels do not end");
    }
    if (!Take(" ")) return Fail("no blank before the value");
    if (!Decimal(&sample.value) || !Take("\n")) return Fail("no line feed after the value");
    std::string identity = sample.name;
    for (const auto& [name, value] : sample.labels) {
      identity.append(1, '\0').append(name).append(1, '\0').append(value);
    }
    if (!seen_.insert(identity).second) return Fail("the same series twice");
    result_.samples.push_back(std::move(sample));
    return true;
  }

  bool ParseAll() {
    while (!rest_.empty()) {
      if (Take("# ") ? !Comment() : !SampleLine()) return false;
    }
    return true;
  }

  std::string_view rest_;
  std::string error_;
  std::string current_;
  std::set<std::string> seen_;
  std::set<std::string> finished_;
  Exposition result_;
};

}  // namespace weir::testing

#endif  // WEIR_TESTS_METRICS_PROMETHEUS_PARSER_H_
