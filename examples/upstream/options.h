// What weir_upstream is told on its command line.

#ifndef WEIR_EXAMPLES_UPSTREAM_OPTIONS_H_
#define WEIR_EXAMPLES_UPSTREAM_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "upstream/faults.h"
#include "upstream/wire.h"

namespace upstream {

struct Options {
  std::string host = "127.0.0.1";
  int64_t port = 8000;
  Dialect dialect = Dialect::kOpenAi;
  std::string key;                // the credential it asks for
  int64_t tokens_per_window = 0;  // 0: no quota
  int64_t window_s = 60;
  int64_t seed = 1;
  int64_t answer_tokens = 0;   // length of an answer; 0: 24 to 56, drawn from seed and prompt
  int64_t chunk_delay_ms = 5;  // between two events of a stream
  int64_t threads = 64;
  Faults faults;
  bool help = false;
  bool version = false;
};

// Answers the first error in one line, "" when there is none.
std::string ParseOptions(int argc, char** argv, Options* options);

extern const char kUsage[];

}  // namespace upstream

#endif  // WEIR_EXAMPLES_UPSTREAM_OPTIONS_H_
