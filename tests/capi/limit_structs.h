/* Rules and charges of the limiter, made in one call. */

#ifndef WEIR_TESTS_CAPI_LIMIT_STRUCTS_H_
#define WEIR_TESTS_CAPI_LIMIT_STRUCTS_H_

#include <string.h>
#include <weir.h>

static inline weir_limit_rule rule_of(const char* name, int32_t algorithm, uint64_t amount,
                                      int64_t window_ms) {
  const weir_limit_rule rule = {.size = sizeof(rule),
                                .algorithm = algorithm,
                                .name = name,
                                .name_size = strlen(name),
                                .amount = amount,
                                .window_ms = window_ms};
  return rule;
}

static inline weir_limit_charge charge_of(uint32_t rule, const char* key, uint64_t cost) {
  const weir_limit_charge charge = {
      .size = sizeof(charge), .rule = rule, .key = key, .key_size = strlen(key), .cost = cost};
  return charge;
}

#endif /* WEIR_TESTS_CAPI_LIMIT_STRUCTS_H_ */
