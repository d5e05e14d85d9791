// What weir_gateway is told on its command line.

#ifndef WEIR_EXAMPLES_GATEWAY_OPTIONS_H_
#define WEIR_EXAMPLES_GATEWAY_OPTIONS_H_

#include <cstdint>
#include <string>

namespace gateway {

struct Options {
  std::string policy;  // file
  std::string state;   // file of counters that outlive the process; "" for none
  std::string listen_host = "127.0.0.1";
  int64_t listen_port = 8080;
  std::string cert;  // PEM files; both or neither
  std::string key;
  std::string ledger;  // file; "" for none
  bool ledger_refuse = false;
  std::string access_log;  // file, "-" for standard output, "" for none
  int64_t threads = 64;
  int64_t max_body_bytes = int64_t{64} << 20;
  int64_t drain_s = 30;
  std::string check;     // --check FILE
  std::string hash_key;  // --hash-key KEY
  std::string pepper;
  bool has_hash_key = false;
  bool help = false;
  bool version = false;
};

// Answers the first error in one line, "" when there is none.
std::string ParseOptions(int argc, char** argv, Options* options);

extern const char kUsage[];

}  // namespace gateway

#endif  // WEIR_EXAMPLES_GATEWAY_OPTIONS_H_
