// weir state.

#ifndef WEIR_BINDINGS_CLI_STATE_H_
#define WEIR_BINDINGS_CLI_STATE_H_

#include <string>
#include <vector>

namespace weir::cli {

int State(const std::vector<std::string>& words);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_STATE_H_
