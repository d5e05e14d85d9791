// weir check.

#ifndef WEIR_BINDINGS_CLI_CHECK_H_
#define WEIR_BINDINGS_CLI_CHECK_H_

#include <string>
#include <vector>

namespace weir::cli {

int Check(const std::vector<std::string>& words);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_CHECK_H_
