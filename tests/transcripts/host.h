/* A host that plays transcripts. The functions it calls are a table with the signatures of weir.h,
 * so that one player proves the C interface (the table holds weir_… themselves) and the C++ one
 * (the table holds adapters). */

#ifndef WEIR_TESTS_TRANSCRIPTS_HOST_H_
#define WEIR_TESTS_TRANSCRIPTS_HOST_H_

#include <jansson.h>
#include <stddef.h>
#include <weir.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct host_api {
  weir_status (*policy_parse)(const char*, size_t, weir_policy**, weir_error*);
  uint32_t (*policy_secret_count)(const weir_policy*);
  weir_status (*policy_secret)(const weir_policy*, uint32_t, int32_t*, const char**, size_t*);
  weir_status (*policy_set_secret)(weir_policy*, uint32_t, const char*, size_t);
  void (*policy_free)(weir_policy*);
  weir_status (*engine_new)(weir_policy*, const weir_engine_options*, weir_engine**, weir_error*);
  weir_status (*engine_reload)(weir_engine*, weir_policy*, weir_error*);
  weir_status (*engine_metrics)(weir_engine*, char*, size_t, size_t*, weir_error*);
  weir_status (*engine_status)(weir_engine*, const weir_now*, char*, size_t, size_t*, weir_error*);
  void (*engine_free)(weir_engine*);
  weir_status (*txn_new)(weir_engine*, weir_txn**, weir_error*);
  weir_status (*request_head)(weir_txn*, const char*, size_t, const char*, size_t, const char*,
                              size_t, weir_error*);
  weir_status (*request_header)(weir_txn*, const char*, size_t, const char*, size_t, weir_error*);
  weir_status (*attribute)(weir_txn*, const char*, size_t, const char*, size_t, weir_error*);
  weir_status (*request_body)(weir_txn*, const char*, size_t, weir_error*);
  weir_status (*request_end)(weir_txn*, weir_error*);
  weir_status (*response_head)(weir_txn*, int32_t, weir_error*);
  weir_status (*response_header)(weir_txn*, const char*, size_t, const char*, size_t, weir_error*);
  weir_status (*response_body)(weir_txn*, const char*, size_t, weir_error*);
  weir_status (*response_end)(weir_txn*, weir_error*);
  weir_status (*response_failed)(weir_txn*, int32_t, weir_error*);
  weir_status (*call_result)(weir_txn*, uint64_t, int32_t, const char*, size_t, weir_error*);
  weir_status (*next)(weir_txn*, const weir_now*, weir_action*, weir_error*);
  weir_status (*url)(const weir_txn*, const char**, size_t*);
  weir_status (*target)(const weir_txn*, const char**, size_t*);
  weir_status (*body)(const weir_txn*, const char**, size_t*);
  weir_status (*header)(const weir_txn*, uint32_t, int32_t*, const char**, size_t*, const char**,
                        size_t*);
  weir_status (*explain)(const weir_txn*, char*, size_t, size_t*, weir_error*);
  void (*txn_free)(weir_txn*);
} host_api;

/* Text that grows; always NUL-terminated. */
typedef struct text {
  char* bytes;
  size_t size;
} text;
void text_append(text* t, const char* bytes, size_t size);
void text_assign(text* t, const char* bytes, size_t size);
void text_free(text* t);

typedef struct header {
  char *name, *value; /* the name in lower case */
} header;

#define MAX_HEADERS 64

/* Header lines in order, and weir's edits to them. */
typedef struct headers {
  header list[MAX_HEADERS];
  size_t count;
} headers;
void headers_add(headers* h, const char* name, size_t name_size, const char* value,
                 size_t value_size);
void headers_remove(headers* h, const char* name, size_t name_size);
const char* headers_find(const headers* h, const char* name); /* null: none */
void headers_copy(headers* to, const headers* from);
void headers_free(headers* h);

/* One transaction as the host sees it: the last action, what the backend is sent by the last
 * FORWARD or CALL, and what the client has been given so far. */
typedef struct exchange {
  char* name;
  weir_txn* txn;
  weir_action action;
  uint64_t call_id;       /* of the last CALL */
  headers client_headers; /* of the request */
  text url, target, backend_body;
  headers backend_headers;
  int32_t status;
  int64_t replied_at_ms; /* REPLY: when */
  headers answer_headers;
  text answer;
} exchange;

#define MAX_EXCHANGES 64

typedef struct host {
  const host_api* api;
  size_t cut; /* bodies are fed in pieces of so many bytes; 0 = whole */
  weir_engine* engine;
  int64_t at_ms;
  exchange exchanges[MAX_EXCHANGES];
  size_t exchange_count;
  const json_t* secrets;
  char fault[2048]; /* the first thing that went wrong; empty: nothing */
} host;

/* Notes the first fault. */
void host_fault(host* h, const char* format, ...) __attribute__((format(printf, 2, 3)));
weir_now host_now(const host* h);

/* Makes the engine, or reloads it when there is one. */
void host_policy(host* h, const json_t* policy);
exchange* host_find(host* h, const char* name); /* null: none */
exchange* host_begin(host* h, const char* name);

/* The verbs of a transcript. */
void host_request(host* h, exchange* x, const json_t* request);
void host_response(host* h, exchange* x, const json_t* response);
void host_more(host* h, exchange* x, const json_t* more);
void host_failed(host* h, exchange* x, const char* failure);
void host_call(host* h, exchange* x, const json_t* call);
void host_again(host* h, exchange* x);
void host_free(host* h, exchange* x);

/* Texts that the engine writes, each into `t`. */
void host_metrics(host* h, text* t);
void host_status(host* h, text* t);
void host_explain(host* h, const exchange* x, text* t);

void host_close(host* h);

/* Plays one transcript with every cut; the number of plays that failed. */
int transcript_play(const host_api* api, const char* path);

/* main of a runner: argv are paths of transcripts. */
int transcript_main(const host_api* api, int argc, char** argv);

#ifdef __cplusplus
}
#endif

#endif /* WEIR_TESTS_TRANSCRIPTS_HOST_H_ */
