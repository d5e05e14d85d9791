// Header lists: what passes a gateway, and weir's edits.

#ifndef WEIR_EXAMPLES_GATEWAY_HEADERS_H_
#define WEIR_EXAMPLES_GATEWAY_HEADERS_H_

#include <httplib.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/weir_handles.h"

namespace gateway {

// In the order received; a name may come several times.
using HeaderList = std::vector<std::pair<std::string, std::string>>;

bool SameName(std::string_view a, std::string_view b);  // ASCII, in any case

std::string_view FindHeader(const HeaderList& headers, std::string_view name);  // the first
void RemoveHeader(HeaderList* headers, std::string_view name);
void SetHeader(HeaderList* headers, std::string_view name, std::string_view value);

// What the client sent, without the entries that cpp-httplib adds to a request's headers.
HeaderList ClientHeaders(const httplib::Request& request);

// Without what belongs to one connection (RFC 9110, section 7.6.1, and all that `Connection`
// names), and without what the next connection's framing sets anew.
HeaderList EndToEnd(const HeaderList& headers);

// Applies the header edits of weir's last action.
void ApplyEdits(const weir_txn* txn, uint32_t count, HeaderList* headers);

}  // namespace gateway

#endif  // WEIR_EXAMPLES_GATEWAY_HEADERS_H_
