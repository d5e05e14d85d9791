#include "gateway/options.h"

#include "common/flags.h"

namespace gateway {

using examples::Flag;
using examples::NumberFlag;
using examples::SwitchFlag;
using examples::TextFlag;

const char kUsage[] =
    R"(weir_gateway: a small LLM gateway that embeds weir.

  weir_gateway --policy FILE [options]
  weir_gateway --check FILE
  weir_gateway --hash-key KEY [--pepper TEXT]

  --policy FILE        the policy to enforce
  --state FILE         keep counters in this file: shared with other processes, kept over restarts
  --listen HOST:PORT   (127.0.0.1:8080; port 0 = any free port, printed; [::1]:8080 for IPv6)
  --cert PEM --key PEM serve TLS 1.3, and nothing older, with this certificate chain and key
  --access-log FILE    one JSON line per request; - for standard output
  --ledger FILE        append a line for each exchange, for weir report: who used what, at what cost
  --ledger-refuse      refuse requests while neither disk nor memory has room for their lines
  --threads N          connections served at once (64)
  --max-body BYTES     refuse larger request bodies before the policy sees them (67108864)
  --drain SECONDS      how long requests under way may take to end at a stop (30)
  --check FILE         print every fault of a policy as FILE:LINE:COLUMN; exit 1 when there is one
  --hash-key KEY       print the stored form of a virtual key, for a policy's consumers; - reads the
                       key from standard input, so that no process list shows it
  --pepper TEXT        the policy's pepper, for --hash-key
  --help, --version

The gateway itself answers GET /weir (a live page), GET /metrics (Prometheus text, OpenMetrics) and
GET /healthz (backends, as JSON), each to everybody; all else goes through the policy. SIGHUP loads
the policy anew (a faulty one changes nothing) and opens the access log anew. SIGTERM and SIGINT
stop: no new connections, and those under way end first.
)";

namespace {

// "127.0.0.1:8080", "[::1]:8080", "localhost:0"
std::string ParseListen(const std::string& value, Options* options) {
  const size_t colon = value.rfind(':');
  if (colon == std::string::npos || colon == 0 ||
      !examples::ParseInteger(value.substr(colon + 1), 0, 65535, &options->listen_port)) {
    return "expected HOST:PORT, not \"" + value + "\"";
  }
  std::string host = value.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  options->listen_host = host;
  return "";
}

}  // namespace

std::string ParseOptions(int argc, char** argv, Options* options) {
  const Flag listen = {"--listen", true,
                       [=](const std::string& value) { return ParseListen(value, options); }};
  const Flag hash_key = {"--hash-key", true, [=](const std::string& value) -> std::string {
                           options->hash_key = value;
                           options->has_hash_key = true;
                           return value.empty() ? "the key is empty" : "";
                         }};
  std::string error = examples::ParseFlags(
      argc, argv,
      {TextFlag("--policy", &options->policy), TextFlag("--state", &options->state), listen,
       TextFlag("--cert", &options->cert), TextFlag("--key", &options->key),
       TextFlag("--access-log", &options->access_log), TextFlag("--ledger", &options->ledger),
       SwitchFlag("--ledger-refuse", &options->ledger_refuse),
       NumberFlag("--threads", 1, 4096, &options->threads),
       NumberFlag("--max-body", 1, int64_t{1} << 40, &options->max_body_bytes),
       NumberFlag("--drain", 0, 3600, &options->drain_s), TextFlag("--check", &options->check),
       hash_key, TextFlag("--pepper", &options->pepper), SwitchFlag("--help", &options->help),
       SwitchFlag("--version", &options->version)});
  if (!error.empty() || options->help || options->version) return error;
  if (!options->check.empty() || options->has_hash_key) return "";
  if (options->policy.empty()) return "--policy is missing: give the policy file to enforce";
  if (options->cert.empty() != options->key.empty()) {
    return "--cert and --key belong together: give both for TLS, neither for plain HTTP";
  }
  return "";
}

}  // namespace gateway
