#include "gateway/gateway.h"

#include <openssl/ssl.h>

#include <chrono>
#include <optional>
#include <random>

#include "common/client_socket.h"
#include "gateway/policy_file.h"

namespace gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kKeepAliveRequests = 10'000;
constexpr int kKeepAliveSeconds = 30;
constexpr int kSocketSeconds = 30;  // for one read or write on a client's connection

bool SetUpTls(SSL_CTX* context, const Options& options) {
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_use_certificate_chain_file(context, options.cert.c_str()) == 1 &&
         SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) == 1 &&
         SSL_CTX_check_private_key(context) == 1;
}

uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace

std::string Gateway::MakeEngine() {
  std::string error;
  const PolicyHandle policy = LoadPolicy(options_.policy, &error);
  if (policy == nullptr) return error;
  weir_engine_options engine_options = {};
  engine_options.size = sizeof engine_options;
  engine_options.seed = RandomSeed();
  engine_options.state_file = options_.state.data();
  engine_options.state_file_size = options_.state.size();
  weir_engine* engine = nullptr;
  weir_error weir_error = NewError();
  if (weir_engine_new(policy.get(), &engine_options, &engine, &weir_error) != WEIR_OK) {
    return options_.policy + ": " + weir_error.message;
  }
  engine_.reset(engine);
  shared_.engine = engine;
  shared_.connections = &connections_;
  shared_.access_log = &access_log_;
  shared_.dashboard = &dashboard_;
  return "";
}

std::string Gateway::OpenLedger() {
  if (options_.ledger.empty()) return "";
  weir_ledger_options options = {};
  options.size = sizeof options;
  options.on_full = options_.ledger_refuse ? WEIR_LEDGER_REFUSE : WEIR_LEDGER_DROP_AND_COUNT;
  weir_ledger* ledger = nullptr;
  weir_error error = NewError();
  const weir_now now = Now();
  const std::string& path = options_.ledger;
  if (weir_ledger_open(path.data(), path.size(), &options, &now, &ledger, &error) != WEIR_OK) {
    return error.message;
  }
  ledger_.reset(ledger);
  shared_.ledger = ledger;
  return "";
}

std::string Gateway::MakeServer() {
  if (options_.cert.empty()) {
    server_ = std::make_unique<httplib::Server>();
  } else {
    server_ = std::make_unique<httplib::SSLServer>(
        [this](SSL_CTX& context) { return SetUpTls(&context, options_); });
  }
  if (!server_->is_valid()) {
    return "the certificate " + options_.cert + " and the key " + options_.key +
           " cannot be used: both must be PEM files that can be read and belong together";
  }
  server_->new_task_queue = [this] {
    return new httplib::ThreadPool(static_cast<size_t>(options_.threads));
  };
  server_->set_tcp_nodelay(true);
  server_->set_keep_alive_max_count(kKeepAliveRequests);
  server_->set_keep_alive_timeout(kKeepAliveSeconds);
  server_->set_read_timeout(kSocketSeconds);
  server_->set_write_timeout(kSocketSeconds);
  server_->set_payload_max_length(static_cast<size_t>(options_.max_body_bytes));
  AddRoutes();
  port_ = static_cast<int>(options_.listen_port);
  const bool bound = port_ != 0 ? server_->bind_to_port(options_.listen_host, port_)
                                : (port_ = server_->bind_to_any_port(options_.listen_host)) > 0;
  if (bound) return "";
  return "cannot listen on " + options_.listen_host + ":" + std::to_string(options_.listen_port) +
         ": is the port taken, or the address not of this machine?";
}

void Gateway::AddRoutes() {
  using httplib::ContentReader;
  using httplib::Request;
  using httplib::Response;
  server_->Get("/metrics", [this](const Request& request, Response& response) {
    ServeMetrics(request, &response);
  });
  server_->Get("/healthz", [this](const Request&, Response& response) { ServeHealth(&response); });
  server_->Get("/weir",
               [](const Request&, Response& response) { Dashboard::ServePage(&response); });
  server_->Get("/weir/events", [this](const Request&, Response& response) {
    dashboard_.ServeEvents(engine_.get(), &shared_.draining, &response);
  });
  const auto without_body = [this](const Request& request, Response& response) {
    Exchange::Serve(std::make_shared<Exchange>(&shared_, request), nullptr, &response);
  };
  const auto with_body = [this](const Request& request, Response& response,
                                const ContentReader& body) {
    Exchange::Serve(std::make_shared<Exchange>(&shared_, request), &body, &response);
  };
  server_->Get(".*", without_body);
  server_->Options(".*", without_body);
  server_->Post(".*", with_body);
  server_->Put(".*", with_body);
  server_->Patch(".*", with_body);
  server_->Delete(".*", with_body);
}

void Gateway::ServeMetrics(const httplib::Request& request, httplib::Response* response) {
  weir_error error = NewError();
  const std::string accept = request.get_header_value("Accept");
  const char* type = "text/plain";
  const std::optional<std::string> text =
      FetchText([&](char* buffer, size_t capacity, size_t* needed) {
        return weir_engine_metrics_as(engine_.get(), accept.data(), accept.size(), &type, buffer,
                                      capacity, needed, &error);
      });
  if (!text.has_value()) response->status = 500;
  response->set_content(text.value_or(error.message), type);
}

void Gateway::ServeHealth(httplib::Response* response) {
  weir_error error = NewError();
  const weir_now now = Now();
  const std::optional<std::string> text =
      FetchText([&](char* buffer, size_t capacity, size_t* needed) {
        return weir_engine_status(engine_.get(), &now, buffer, capacity, needed, &error);
      });
  if (!text.has_value()) {
    response->status = 500;
    return response->set_content(error.message, "text/plain");
  }
  response->set_content(*text, "application/json");
}

std::string Gateway::Start() {
  std::string error = access_log_.Open(options_.access_log);
  if (error.empty()) error = OpenLedger();
  if (error.empty()) error = MakeEngine();
  if (error.empty()) error = MakeServer();
  if (!error.empty()) return error;
  listener_ = std::thread([this] { server_->listen_after_bind(); });
  return "";
}

std::string Gateway::Reload() {
  std::string error = access_log_.Open(options_.access_log);
  if (!error.empty()) return error;
  const PolicyHandle policy = LoadPolicy(options_.policy, &error);
  if (policy == nullptr) return error;
  weir_error weir_error = NewError();
  if (weir_engine_reload(engine_.get(), policy.get(), &weir_error) == WEIR_OK) return "";
  return options_.policy + ": " + weir_error.message;
}

// Not by server_->stop() first: that would cut a stream whose head is out and whose first piece is
// not.
void Gateway::Stop() {
  constexpr milliseconds kPoll(10);
  shared_.draining = true;
  examples::StopListening(port_);
  const auto until = steady_clock::now() + std::chrono::seconds(options_.drain_s);
  while (shared_.in_flight > 0 && steady_clock::now() < until) std::this_thread::sleep_for(kPoll);
  shared_.abort = true;
  examples::StopReading(port_);
  listener_.join();
}

}  // namespace gateway
