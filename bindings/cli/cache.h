// weir cache.

#ifndef WEIR_BINDINGS_CLI_CACHE_H_
#define WEIR_BINDINGS_CLI_CACHE_H_

#include <string>
#include <vector>

namespace weir::cli {

int Cache(const std::vector<std::string>& words);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_CACHE_H_
