#include "common/client_socket.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

namespace examples {
namespace {

struct Endpoint {
  std::string address;
  int port = 0;
};

// `get` is getpeername or getsockname.
template <typename Get>
std::optional<Endpoint> EndpointOf(int socket, const Get& get) {
  sockaddr_storage storage = {};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (get(socket, address, &size) != 0) return std::nullopt;
  char host[NI_MAXHOST];
  char service[NI_MAXSERV];
  if (getnameinfo(address, size, host, sizeof host, service, sizeof service,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return std::nullopt;
  }
  Endpoint endpoint;
  endpoint.address = host;
  const std::string_view port = service;
  std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  return endpoint;
}

// Calls `visit` for each open descriptor until it answers true.
template <typename Visit>
void ForEachDescriptor(const Visit& visit) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    if (descriptor >= 0 && visit(descriptor)) return;
  }
}

}  // namespace

int FindClientSocket(const std::string& remote_address, int remote_port) {
  int found = -1;
  ForEachDescriptor([&](int descriptor) {
    const std::optional<Endpoint> peer = EndpointOf(descriptor, getpeername);
    if (!peer || peer->port != remote_port || peer->address != remote_address) return false;
    found = descriptor;
    return true;
  });
  return found;
}

bool ClientLeaves(int socket, std::chrono::milliseconds wait) {
  if (socket < 0) {
    std::this_thread::sleep_for(wait);
    return false;
  }
  pollfd events = {socket, POLLRDHUP, 0};
  return poll(&events, 1, static_cast<int>(wait.count())) > 0 && events.revents != 0;
}

void StopListening(int port) {
  ForEachDescriptor([&](int descriptor) {
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) return false;
    const std::optional<Endpoint> own = EndpointOf(descriptor, getsockname);
    if (listens == 0 || !own || own->port != port) return false;
    shutdown(descriptor, SHUT_RDWR);
    return true;
  });
}

void StopReading(int port) {
  ForEachDescriptor([&](int descriptor) {
    const std::optional<Endpoint> peer = EndpointOf(descriptor, getpeername);
    const std::optional<Endpoint> own = EndpointOf(descriptor, getsockname);
    if (peer && own && own->port == port) shutdown(descriptor, SHUT_RD);
    return false;
  });
}

}  // namespace examples
