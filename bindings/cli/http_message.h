// A request as text: how a host would have received it.

#ifndef WEIR_BINDINGS_CLI_HTTP_MESSAGE_H_
#define WEIR_BINDINGS_CLI_HTTP_MESSAGE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::cli {

using HeaderLine = std::pair<std::string, std::string>;

struct HttpRequest {
  std::string method = "POST";
  std::string target = "/v1/chat/completions";
  std::vector<HeaderLine> headers;
  std::string body;
};

// "name: value" without blanks around; false when it has no name.
bool ReadHeaderLine(std::string_view line, HeaderLine* header);

// Reads an HTTP/1.1 request message, or a JSON body alone, which keeps method and target as they
// are. False, and why, when it is neither.
bool ReadHttpRequest(std::string_view text, HttpRequest* request, std::string* why);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_HTTP_MESSAGE_H_
