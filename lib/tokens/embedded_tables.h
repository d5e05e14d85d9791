// The look-up tables that are part of the library's read-only data.

#ifndef WEIR_LIB_TOKENS_EMBEDDED_TABLES_H_
#define WEIR_LIB_TOKENS_EMBEDDED_TABLES_H_

extern "C" {
extern const unsigned char weir_tokens_r50k_base[] __attribute__((visibility("hidden")));
extern const unsigned char weir_tokens_p50k_base[] __attribute__((visibility("hidden")));
extern const unsigned char weir_tokens_cl100k_base[] __attribute__((visibility("hidden")));
extern const unsigned char weir_tokens_o200k_base[] __attribute__((visibility("hidden")));
}

#endif  // WEIR_LIB_TOKENS_EMBEDDED_TABLES_H_
