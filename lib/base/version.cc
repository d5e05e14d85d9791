#include "weir/base.h"

namespace weir {

const char* Version() { return WEIR_VERSION_STRING; }

}  // namespace weir
