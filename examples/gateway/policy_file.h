// A policy from a file, with the secrets that it names filled in.

#ifndef WEIR_EXAMPLES_GATEWAY_POLICY_FILE_H_
#define WEIR_EXAMPLES_GATEWAY_POLICY_FILE_H_

#include <string>

#include "gateway/weir_handles.h"

namespace gateway {

// Null when it cannot be used; then `error` says why, with file, line and column where there are
// some, and what to do.
PolicyHandle LoadPolicy(const std::string& file, std::string* error);

// Every fault of the file's text, one per line as "FILE:LINE:COLUMN: …"; empty when it is sound.
// Secrets are not looked at.
std::string CheckPolicy(const std::string& file);

}  // namespace gateway

#endif  // WEIR_EXAMPLES_GATEWAY_POLICY_FILE_H_
