// The gateway as a whole: the engine and its policy, the HTTP server around it, reload and stop.

#ifndef WEIR_EXAMPLES_GATEWAY_GATEWAY_H_
#define WEIR_EXAMPLES_GATEWAY_GATEWAY_H_

#include <httplib.h>

#include <memory>
#include <string>
#include <thread>

#include "gateway/access_log.h"
#include "gateway/dashboard.h"
#include "gateway/exchange.h"
#include "gateway/options.h"
#include "gateway/upstream_client.h"
#include "gateway/weir_handles.h"

namespace gateway {

class Gateway {
 public:
  explicit Gateway(const Options& options) : options_(options) {}

  // Each answers what went wrong and what to do about it, "" when nothing did.
  std::string Start();   // serves from here on
  std::string Reload();  // what was in force stays in force when it fails

  // Ends the listening, then waits for requests under way as long as the options allow.
  void Stop();

  int port() const { return port_; }

 private:
  std::string MakeEngine();
  std::string OpenLedger();
  std::string MakeServer();
  void AddRoutes();
  void ServeMetrics(const httplib::Request& request, httplib::Response* response);
  void ServeHealth(httplib::Response* response);

  const Options options_;
  EngineHandle engine_;
  LedgerHandle ledger_;
  ConnectionPool connections_;
  AccessLog access_log_;
  Dashboard dashboard_;
  Shared shared_;
  std::unique_ptr<httplib::Server> server_;
  std::thread listener_;
  int port_ = 0;
};

}  // namespace gateway

#endif  // WEIR_EXAMPLES_GATEWAY_GATEWAY_H_
