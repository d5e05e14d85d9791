// The access log: one JSON line per request, around weir's own account of what it decided and why.

#ifndef WEIR_EXAMPLES_GATEWAY_ACCESS_LOG_H_
#define WEIR_EXAMPLES_GATEWAY_ACCESS_LOG_H_

#include <chrono>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>

namespace gateway {

struct AccessRecord {
  std::chrono::system_clock::time_point begin;
  std::string client;
  std::string method;
  std::string path;  // without the query, which may hold credentials
  int status = 0;    // 0: the client left before there was one
  uint64_t bytes = 0;
  std::chrono::microseconds duration{0};
  std::string_view ended;  // "complete", "client_left" or "broken"
  std::string weir;        // weir_txn_explain: a JSON object
};

std::string ToJsonLine(const AccessRecord& record);

// Thread-safe.
class AccessLog {
 public:
  // `file` may be "-" for standard output and "" for none. Answers what went wrong, "" if nothing.
  std::string Open(const std::string& file);
  void Write(const AccessRecord& record);

 private:
  std::mutex mutex_;
  std::string file_;
  std::ofstream stream_;
};

}  // namespace gateway

#endif  // WEIR_EXAMPLES_GATEWAY_ACCESS_LOG_H_
