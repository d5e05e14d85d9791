#include <stdio.h>
#include <weir.h>

int main(void) {
  weir_error error = {.size = sizeof(error)};
  const weir_tokenizer* tokenizer = NULL;
  uint64_t count = 0;
  if (weir_tokenizer_find("gpt-4o", 6, &tokenizer, &error) != WEIR_OK ||
      weir_tokenizer_count(tokenizer, "How do I say hello?", 19, &count, &error) != WEIR_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  printf("%u tokens\n", (unsigned)count);
  return 0;
}
