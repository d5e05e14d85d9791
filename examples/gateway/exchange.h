// One client request, from its head to the last byte of its answer: feeds weir what happens and
// performs what weir answers. This file is what embedding weir comes to.

#ifndef WEIR_EXAMPLES_GATEWAY_EXCHANGE_H_
#define WEIR_EXAMPLES_GATEWAY_EXCHANGE_H_

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/access_log.h"
#include "gateway/dashboard.h"
#include "gateway/headers.h"
#include "gateway/upstream_client.h"
#include "gateway/weir_handles.h"

namespace gateway {

// What all exchanges share; outlives them.
struct Shared {
  weir_engine* engine = nullptr;
  ConnectionPool* connections = nullptr;
  AccessLog* access_log = nullptr;
  Dashboard* dashboard = nullptr;
  weir_ledger* ledger = nullptr;      // null when none is kept
  std::atomic<bool> draining{false};  // answers ask their clients to close the connection
  std::atomic<bool> abort{false};     // ends exchanges under way, at the end of a drain
  std::atomic<int> in_flight{0};
};

// Used by the one thread that serves the request.
class Exchange {
 public:
  Exchange(Shared* shared, const httplib::Request& request);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Takes the request to where its answer begins, and fills in `response`: wholly, or with a
  // provider that relays a stream as it comes (and keeps `self` alive that long). `body` may be
  // null: no body.
  static void Serve(const std::shared_ptr<Exchange>& self, const httplib::ContentReader* body,
                    httplib::Response* response);

 private:
  enum class Ending { kOpen, kComplete, kClientLeft, kBroken };

  // Feeding. Each answers false when the exchange cannot go on (then `ending_` says why, or the
  // answer is already an error).
  bool LedgerAccepts() const;
  void Book();
  bool Begin();
  bool FeedBody(const httplib::ContentReader* body, httplib::Response* response);
  bool FeedEvent(UpstreamEvent event);
  bool Next(weir_action* action);
  bool Check(weir_status status, const weir_error& error);

  // Performing.
  bool DecideAnswer(weir_action action);
  bool Perform(const weir_action& action);
  void StartAttempt(const weir_action& action);
  bool PerformCall(const weir_action& action);
  bool SleepUntil(std::chrono::steady_clock::time_point until);
  // The next thing that happens upstream, a deadline included; false when the client left first.
  bool AwaitEvent(UpstreamAttempt* attempt, UpstreamEvent* event);
  bool AbortOrClientLeft(std::chrono::milliseconds wait);

  // Answering.
  void TakeReply(const weir_action& action);
  void TakeRelay(const weir_action& action);
  void TakeEnd(bool with_bytes);
  void FailWith(int status, std::string_view message);
  void FillResponse(const std::shared_ptr<Exchange>& self, httplib::Response* response);
  bool Relay(httplib::DataSink* sink);
  bool Flush(httplib::DataSink* sink);
  void End(Ending ending);

  Shared* const shared_;
  const httplib::Request& request_;  // lives as long as the request is served
  const HeaderList request_headers_;
  AccessRecord record_;
  const std::chrono::steady_clock::time_point begin_;
  int client_socket_ = -1;

  TxnHandle txn_;
  std::unique_ptr<UpstreamAttempt> attempt_;
  UpstreamEvent event_;  // fed last: WEIR_RELAY_INPUT means its bytes
  bool upstream_failed_ = false;

  int status_ = 0;  // of the answer; 0 while there is none
  HeaderList headers_;
  std::string pending_;   // of the answer's body: to be sent
  bool streams_ = false;  // relay as it comes
  bool head_sent_ = false;
  bool answer_ended_ = false;  // nothing more comes after pending_
  bool cut_ = false;           // the client's connection must be broken behind pending_
  Ending ending_ = Ending::kOpen;
};

}  // namespace gateway

#endif  // WEIR_EXAMPLES_GATEWAY_EXCHANGE_H_
