// Faults that the simulated provider can be told to have.

#ifndef WEIR_EXAMPLES_UPSTREAM_FAULTS_H_
#define WEIR_EXAMPLES_UPSTREAM_FAULTS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace upstream {

struct Faults {
  std::optional<std::chrono::milliseconds> latency;
  std::optional<std::chrono::milliseconds> slow_first_byte;
  std::optional<std::chrono::milliseconds> throttle;  // the retry-after to answer with
  std::optional<int64_t> status;
  std::optional<int64_t> reset;  // each: after so many pieces of the answer
  std::optional<int64_t> stall;
  std::optional<int64_t> malformed;
  std::optional<int64_t> stream_error;
  std::vector<std::string> specs;  // as they were given

  // Adds "kind" or "kind=value", or several with commas between. Answers what is wrong, "" when
  // nothing is; what came before the wrong one stays added.
  std::string Add(std::string_view list);

 private:
  std::string AddOne(std::string_view spec);
};

}  // namespace upstream

#endif  // WEIR_EXAMPLES_UPSTREAM_FAULTS_H_
