#include "tokens/embedded_tables.h"

// The assembler copies the tables that the build has just made into the object file; a compiler
// would take a gigabyte for the same bytes as an array. The paths come from CMakeLists.txt.
#define WEIR_EMBED(symbol, path)                \
  __asm__(".pushsection .rodata." #symbol       \
          ",\"a\",%progbits\n"                  \
          ".balign 64\n"                        \
          ".globl " #symbol                     \
          "\n"                                  \
          ".hidden " #symbol                    \
          "\n"                                  \
          ".type " #symbol ",%object\n" #symbol \
          ":\n"                                 \
          ".incbin \"" path                     \
          "\"\n"                                \
          ".size " #symbol ", . - " #symbol     \
          "\n"                                  \
          ".popsection\n")

#if WEIR_WITH_P50K
WEIR_EMBED(weir_tokens_r50k_base, WEIR_R50K_BASE_TABLE);
WEIR_EMBED(weir_tokens_p50k_base, WEIR_P50K_BASE_TABLE);
#endif
#if WEIR_WITH_CL100K
WEIR_EMBED(weir_tokens_cl100k_base, WEIR_CL100K_BASE_TABLE);
#endif
#if WEIR_WITH_O200K
WEIR_EMBED(weir_tokens_o200k_base, WEIR_O200K_BASE_TABLE);
#endif
