// weir_upstream: a simulated LLM provider, deterministic by seed, with a quota and faults of its
// own and with the token counts that a real one would bill. It links weir for its tokenizers alone.

#include <httplib.h>
#include <weir.h>

#include <csignal>
#include <iostream>
#include <thread>

#include "common/client_socket.h"
#include "upstream/options.h"
#include "upstream/provider.h"

namespace {

constexpr int kKeepAliveRequests = 10'000;
constexpr int kKeepAliveSeconds = 5;
constexpr size_t kMaxBodyBytes = size_t{64} << 20;

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

int Run(const upstream::Options& options) {
  // Before any thread starts, so that only sigwait below receives them.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  upstream::Provider provider(options);
  httplib::Server server;
  server.new_task_queue = [&] {
    return new httplib::ThreadPool(static_cast<size_t>(options.threads));
  };
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(kKeepAliveRequests);
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_payload_max_length(kMaxBodyBytes);
  provider.Serve(&server);

  int port = static_cast<int>(options.port);
  const bool bound = port != 0 ? server.bind_to_port(options.host, port)
                               : (port = server.bind_to_any_port(options.host)) > 0;
  if (!bound) {
    std::cerr << "weir_upstream: cannot listen on " << options.host << ":" << options.port
              << ": is the port taken? --port 0 takes a free one\n";
    return 1;
  }
  std::cout << "listening on " << options.host << ":" << port << std::endl;
  std::thread listener([&] { server.listen_after_bind(); });
  int received = 0;
  sigwait(&signals, &received);
  provider.Stop();
  server.stop();
  examples::StopReading(port);
  listener.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  upstream::Options options;
  const std::string error = upstream::ParseOptions(argc, argv, &options);
  if (!error.empty()) {
    std::cerr << "weir_upstream: " << error << "\n";
    return 2;
  }
  if (options.help) {
    std::cout << upstream::kUsage;
    return 0;
  }
  if (options.version) {
    std::cout << "weir_upstream " << weir_version() << "\n";
    return 0;
  }
  return Run(options);
}
