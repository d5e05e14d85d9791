// Tools that the provider runs itself, and tools that a request brings or finds as it goes on.

#ifndef WEIR_LIB_METERING_PROMPT_PROVIDER_TOOLS_H_
#define WEIR_LIB_METERING_PROMPT_PROVIDER_TOOLS_H_

#include "base/json.h"
#include "metering/prompt_family.h"
#include "metering/prompt_tally.h"

namespace weir::metering {

// The tools of a request of responses that are no functions, and the functions that they look for.
void CountProviderTools(const Family& family, const json::Value& request, Tally* tally);

// An item of the input by which the model looks for tools or gets more; false when it is none.
bool CountToolItem(const Family& family, const json::Value& item, const Place& place, Tally* tally);

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_PROMPT_PROVIDER_TOOLS_H_
