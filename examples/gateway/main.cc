// weir_gateway: a small LLM gateway that embeds weir through its C interface alone. Start reading
// in exchange.cc.

#include <weir.h>

#include <csignal>
#include <iostream>
#include <optional>
#include <string>

#include "gateway/gateway.h"
#include "gateway/options.h"
#include "gateway/policy_file.h"
#include "gateway/weir_handles.h"

namespace {

int Fail(const std::string& error, int code) {
  std::cerr << "weir_gateway: " << error << "\n";
  return code;
}

int Check(const gateway::Options& options) {
  const std::string faults = gateway::CheckPolicy(options.check);
  std::cout << faults;
  return faults.empty() ? 0 : 1;
}

int HashKey(const gateway::Options& options) {
  std::string key = options.hash_key;
  if (key == "-") std::getline(std::cin, key);
  weir_error error = gateway::NewError();
  const std::optional<std::string> hash =
      gateway::FetchText([&](char* buffer, size_t capacity, size_t* needed) {
        return weir_key_hash(options.pepper.data(), options.pepper.size(), key.data(), key.size(),
                             buffer, capacity, needed, &error);
      });
  if (!hash.has_value()) return Fail(error.message, 1);
  std::cout << *hash << "\n";
  return 0;
}

int Run(const gateway::Options& options) {
  // Before any thread starts, so that only sigwait below receives them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGHUP, SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  gateway::Gateway gateway(options);
  const std::string error = gateway.Start();
  if (!error.empty()) return Fail(error, 1);
  std::cout << "listening on " << options.listen_host << ":" << gateway.port() << std::endl;
  for (;;) {
    int received = 0;
    sigwait(&signals, &received);
    if (received != SIGHUP) break;
    const std::string fault = gateway.Reload();
    if (fault.empty()) {
      std::cerr << "weir_gateway: " << options.policy << " is in force\n";
    } else {
      std::cerr << "weir_gateway: the policy in force stays in force, for the file is faulty:\n"
                << fault << "\n";
    }
  }
  gateway.Stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  gateway::Options options;
  const std::string error = gateway::ParseOptions(argc, argv, &options);
  if (!error.empty()) return Fail(error, 2);
  if (options.help) {
    std::cout << gateway::kUsage;
    return 0;
  }
  if (options.version) {
    std::cout << "weir_gateway " << weir_version() << "\n";
    return 0;
  }
  if (!options.check.empty()) return Check(options);
  if (options.has_hash_key) return HashKey(options);
  return Run(options);
}
