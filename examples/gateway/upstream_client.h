// Requests to backends: each on a worker thread of its own, its answer handed over piece by piece
// through a bounded queue, its connection kept for the next one.

#ifndef WEIR_EXAMPLES_GATEWAY_UPSTREAM_CLIENT_H_
#define WEIR_EXAMPLES_GATEWAY_UPSTREAM_CLIENT_H_

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gateway/headers.h"

namespace gateway {

struct UpstreamRequest {
  std::string url;  // scheme, host and port
  std::string method;
  std::string target;  // path and query, sent as they are
  HeaderList headers;
  std::string body;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

struct UpstreamEvent {
  enum class Kind { kHead, kBody, kEnd, kFailed };
  Kind kind = Kind::kFailed;
  int status = 0;       // kHead
  HeaderList headers;   // kHead
  std::string bytes;    // kBody
  int32_t failure = 0;  // kFailed: WEIR_FAILURE_…
};

// Idle connections, by URL. Thread-safe.
class ConnectionPool {
 public:
  std::unique_ptr<httplib::Client> Take(const std::string& url);
  // Only after a whole answer: a broken connection is of no use to anyone.
  void Give(const std::string& url, std::unique_ptr<httplib::Client> client);

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::unique_ptr<httplib::Client>>> idle_;
};

// One request under way. Used by one thread; its worker is its own affair. Destroying it stops the
// request: at once, except while a connection is being made (as long as that takes, 5 s at most).
class UpstreamAttempt {
 public:
  // `pool` must outlive it.
  UpstreamAttempt(ConnectionPool* pool, UpstreamRequest request);
  ~UpstreamAttempt();
  UpstreamAttempt(const UpstreamAttempt&) = delete;
  UpstreamAttempt& operator=(const UpstreamAttempt&) = delete;

  // The next event, waited for until then; nullopt when none has come. After kEnd or kFailed none
  // comes any more.
  std::optional<UpstreamEvent> Wait(std::chrono::steady_clock::time_point until);

  std::chrono::steady_clock::time_point deadline() const { return request_.deadline; }

 private:
  void Run();
  bool Push(UpstreamEvent event);
  void Cancel();

  ConnectionPool* const pool_;
  const UpstreamRequest request_;
  std::unique_ptr<httplib::Client> client_;
  std::atomic<bool> cancelled_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<UpstreamEvent> events_;
  size_t queued_bytes_ = 0;
  bool finished_ = false;  // the worker is done with the client

  std::thread worker_;  // last: it uses all of the above
};

}  // namespace gateway

#endif  // WEIR_EXAMPLES_GATEWAY_UPSTREAM_CLIENT_H_
