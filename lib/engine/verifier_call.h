// Asking a model whether the answer to one text serves another, in OpenAI's words.

#ifndef WEIR_LIB_ENGINE_VERIFIER_CALL_H_
#define WEIR_LIB_ENGINE_VERIFIER_CALL_H_

#include <optional>
#include <string>
#include <string_view>

namespace weir::engine {

// Neither a temperature nor a bound of the output: not all models take those.
std::string VerifierBody(std::string_view model, std::string_view asked, std::string_view stored);

// True for "yes", false for any other word; nothing when it is no answer.
std::optional<bool> ReadVerdict(std::string_view body);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_VERIFIER_CALL_H_
