// The key ring with its HMAC as an argument, so that a test can make it fail.

#ifndef WEIR_LIB_AUTH_KEY_RING_H_
#define WEIR_LIB_AUTH_KEY_RING_H_

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/hash.h"
#include "weir/auth.h"

namespace weir::auth {

using HmacFunction = bool (*)(const HmacSha256Key& key, std::string_view text, Digest256* digest);

absl::StatusOr<std::unique_ptr<KeyRing>> CreateKeyRing(std::string_view pepper,
                                                       std::vector<Consumer> consumers,
                                                       HmacFunction hmac);

}  // namespace weir::auth

#endif  // WEIR_LIB_AUTH_KEY_RING_H_
