// The one file that knows where the sources are, so that every other test compiles the same in any
// checkout and a compiler cache can tell.

#include "tests/support/shared_data.h"

namespace weir::testing {

std::string SourcePath(const std::string& path) {
  return std::string(WEIR_SOURCE_DIR) + "/" + path;
}

}  // namespace weir::testing
