/* Does a JSON value hold what a transcript expects of it? See README.md for the matchers. */

#ifndef WEIR_TESTS_TRANSCRIPTS_MATCH_H_
#define WEIR_TESTS_TRANSCRIPTS_MATCH_H_

#include <jansson.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 1 when `actual` (null: there is none) matches `expected`; else 0, and `why` says where and why.
 */
int match_json(const json_t* actual, const json_t* expected, char* why, size_t capacity);

/* The same for a header's value or other text; `actual` null: there is none. */
int match_text(const char* actual, const json_t* expected, char* why, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif /* WEIR_TESTS_TRANSCRIPTS_MATCH_H_ */
