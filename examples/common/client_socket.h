// The sockets behind a server of cpp-httplib. The library does not show them, and a gateway needs
// them: only the socket tells that a client has left before its answer has begun, and only by the
// socket can a server stop taking connections without cutting the streams under way.

#ifndef WEIR_EXAMPLES_COMMON_CLIENT_SOCKET_H_
#define WEIR_EXAMPLES_COMMON_CLIENT_SOCKET_H_

#include <chrono>
#include <string>

namespace examples {

// The descriptor of this process's connection to the peer's `remote_address` and `remote_port`; -1
// when there is none. It stays the same one as long as the request is being served.
int FindClientSocket(const std::string& remote_address, int remote_port);

// Waits at most so long for the client to close or break its connection; true when it did. A socket
// of -1 never does.
bool ClientLeaves(int socket, std::chrono::milliseconds wait);

// Refuses new connections to the listening `port`; those that exist go on.
void StopListening(int port);

// Ends idle connections to the listening `port`, so that a server that is to stop need not wait for
// its clients' keep-alive to run out. What was asked can still be answered.
void StopReading(int port);

}  // namespace examples

#endif  // WEIR_EXAMPLES_COMMON_CLIENT_SOCKET_H_
