/* ngx_http_weir_module: what its files share.
 *
 *   module.c     directives and their values
 *   policy.c     the policy file, its secrets, the engine
 *   exchange.c   one client request: feeds weir, performs what weir answers
 *   attempt.c    one attempt at a backend, an ngx_http_upstream of its own
 *   call.c       side requests to an embedder or a verifier, as subrequests
 *   head.c       the head of a backend's answer
 *   relay.c      the body of a backend's answer, metered as it passes
 *   address.c    from a backend's URL to an address
 *   idle.c       connections to backends, kept for the next request
 *   fields.c     header lists and weir's edits
 *   explain.c    reads members of the explanation
 *   variables.c  $weir_...
 *   ledger.c     weir_ledger: a line of each request
 *   board.c      what the live page shows of single requests
 *   pages.c      weir_metrics, weir_status, weir_events */

#ifndef WEIR_BINDINGS_NGINX_WEIR_HTTP_H_
#define WEIR_BINDINGS_NGINX_WEIR_HTTP_H_

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <weir.h>

extern ngx_module_t ngx_http_weir_module;

/* ---- Header lists ---- */

typedef struct {
  ngx_str_t name;
  ngx_str_t value;
} weir_http_field;

ngx_int_t weir_http_field_add(ngx_array_t* fields, ngx_pool_t* pool, const ngx_str_t* name,
                              const ngx_str_t* value);
ngx_str_t* weir_http_field_find(const ngx_array_t* fields, const char* name);
ngx_int_t weir_http_field_is(const weir_http_field* field, const char* name);
/* Not those that a request's framing and address are made of, and none that would end a line. */
ngx_int_t weir_http_field_is_sent(const weir_http_field* field);
/* Takes out the headers that speak of one connection only. */
void weir_http_fields_keep_end_to_end(ngx_array_t* fields);
/* Carries out the last action's edits; the texts are copied into `pool`. */
ngx_int_t weir_http_fields_edit(ngx_array_t* fields, ngx_pool_t* pool, const weir_txn* txn,
                                uint32_t count);

/* ---- Configuration ---- */

typedef struct {
  ngx_str_t policy_file;
  weir_policy* policy; /* until the engine has it */
  weir_engine* engine;
  ngx_str_t state_file;
  size_t state_bytes;
  ngx_str_t ledger_file; /* empty: none */
  weir_ledger_options ledger_options;
  weir_ledger* ledger;
  ngx_shm_zone_t* board; /* null: no location has weir_events */
  ngx_uint_t keepalive;
  ngx_uint_t used;                        /* some location has `weir on` or a page */
  ngx_uint_t calls;                       /* some location has weir_call */
  ngx_uint_t call_declined;               /* which has been told */
  ngx_http_upstream_srv_conf_t* upstream; /* leads nginx's upstream to attempt.c */
  ngx_ssl_t* ssl;                         /* for backends, by the system's authorities */
  ngx_queue_t idle, vacant;               /* idle.c */
} weir_http_shared;

typedef struct {
  ngx_str_t name;
  ngx_http_complex_value_t value;
} weir_http_attribute;

typedef struct {
  ngx_flag_t on;
  ngx_uint_t is_page;      /* weir_metrics or weir_status answers here */
  ngx_array_t* attributes; /* of weir_http_attribute */
  ngx_str_t call_uri;      /* the location that sends side requests; empty: none */
  size_t call_bytes;       /* of an answer to one */
  ngx_flag_t ssl_verify;
  ngx_str_t ssl_trusted_certificate;
  ngx_http_upstream_conf_t upstream;
} weir_http_location;

char* weir_http_policy(ngx_conf_t* cf, ngx_command_t* command, void* conf);
ngx_int_t weir_http_engine_open(ngx_conf_t* cf, weir_http_shared* shared);
char* weir_http_page(ngx_conf_t* cf, ngx_command_t* command, void* conf);
ngx_int_t weir_http_add_variables(ngx_conf_t* cf);
weir_now weir_http_now(void);

char* weir_http_ledger(ngx_conf_t* cf, ngx_command_t* command, void* conf);
ngx_int_t weir_http_ledger_open(ngx_conf_t* cf, weir_http_shared* shared);
/* In the master, before it forks: the file is the workers' too. */
ngx_int_t weir_http_ledger_share(ngx_cycle_t* cycle, weir_http_shared* shared);
/* 0: requests are to be refused, for their lines might find no room. */
ngx_int_t weir_http_ledger_accepts(weir_http_shared* shared);

/* ---- One request ---- */

typedef struct {
  ngx_str_t url;       /* as weir gave it: names the idle connections that fit */
  ngx_str_t host;      /* without the port */
  ngx_str_t authority; /* for the Host header: the port only where it is not the usual one */
  in_port_t port;
  unsigned tls : 1;
  struct sockaddr* sockaddr;
  socklen_t socklen;
  ngx_str_t* address; /* for logs; $upstream_addr keeps it after this attempt */
} weir_http_backend;

typedef enum {
  WEIR_HTTP_OPEN,
  WEIR_HTTP_REFUSED,  /* weir's own answer */
  WEIR_HTTP_ANSWERED, /* a backend's answer, to its end */
  WEIR_HTTP_ENDED,    /* a backend's answer that weir ended */
  WEIR_HTTP_BROKEN,   /* a backend's answer that broke off */
  WEIR_HTTP_LEFT      /* the client left */
} weir_http_outcome;

typedef struct weir_http_call_s weir_http_call;

typedef struct {
  ngx_http_request_t* request;
  weir_http_location* location;
  weir_http_shared* shared;
  weir_txn* txn;
  weir_action action; /* the last one */
  weir_http_outcome outcome;
  int64_t feeding_since_ns;
  ngx_event_t timer;    /* a wait's, a call's or an attempt's deadline */
  ngx_event_t resume;   /* goes on, outside of nginx's upstream */
  weir_http_call* call; /* the one under way */
  ngx_str_t reason;     /* of a refusal: its error code */
  ngx_str_t explanation;

  /* The attempt under way. */
  weir_http_backend backend;
  ngx_resolver_ctx_t* resolving;
  int32_t failure;           /* WEIR_FAILURE_... when it failed */
  ngx_http_status_t status;  /* its status line */
  ngx_uint_t refused_status; /* of the head that weir did not want */
  ngx_array_t fields;        /* its head */
  ngx_http_chunked_t chunked;
  off_t length;                              /* of its body; -1: until the connection ends */
  ngx_recv_pt recv;                          /* the connection's own */
  ngx_http_upstream_handler_pt read_handler; /* nginx's own */
  unsigned armed : 1;                        /* the next peer.get is to connect */
  unsigned parked : 1;  /* peer.get had nobody to connect to: resume is posted */
  unsigned fresh : 1;   /* with a new connection */
  unsigned decided : 1; /* weir has decided on what follows it */
  unsigned is_chunked : 1;
  unsigned connection_close : 1;
  unsigned closing : 1; /* what weir ends the answer with waits to be relayed */
  unsigned resolved_now : 1;
  unsigned has_body : 1;
} weir_http_exchange;

ngx_int_t weir_http_handler(ngx_http_request_t* r); /* the content handler of `weir on` */

/* What is fed from here on until weir_http_next belongs to weir's own time. */
void weir_http_feed(weir_http_exchange* x);
/* Asks what to do; false is logged. */
ngx_int_t weir_http_next(weir_http_exchange* x);
/* Logs a call that went wrong. */
ngx_int_t weir_http_check(weir_http_exchange* x, weir_status status, const weir_error* error);
#define WEIR_HTTP_NEW_ERROR(error) \
  weir_error error;                \
  error.size = sizeof(error);      \
  error.message[0] = '\0'

/* The attempt that weir asked for, once its address is known: starts it. */
void weir_http_attempt_start(weir_http_exchange* x);
/* Ends nginx's upstream without ending the request. */
void weir_http_attempt_drop(weir_http_exchange* x);
/* Goes on after an attempt, from outside of nginx's upstream. */
void weir_http_resume(weir_http_exchange* x);
/* Notices, while nothing else happens, that the client leaves. */
void weir_http_watch_client(weir_http_exchange* x);

/* Writes the explanation, unless it is there and final. */
ngx_int_t weir_http_explain(weir_http_exchange* x);

/* Before the workers are: there is to be a board. */
ngx_int_t weir_http_board_add(ngx_conf_t* cf, weir_http_shared* shared);
/* Of an exchange that has ended. */
void weir_http_board_note(weir_http_exchange* x);
/* Members of a JSON object: "consumers", "refused", "refusals". */
ngx_int_t weir_http_board_write(ngx_http_request_t* r, weir_http_shared* shared, ngx_str_t* text);

/* The side request that weir asks for. NGX_OK: it is under way, and x->resume comes when it is
 * over. NGX_DECLINED: nobody is asked here. */
ngx_int_t weir_http_call_start(weir_http_exchange* x);
/* While it is under way, events of the client's connection are passed on to it: by one of them ends
 * a delay that its location has (limit_req). */
void weir_http_call_watch(weir_http_exchange* x);
/* Whether the one under way has come to its end. */
ngx_int_t weir_http_call_is_over(const weir_http_exchange* x);
/* Tells weir what came of it; a failure, when there is none. */
ngx_int_t weir_http_call_feed(weir_http_exchange* x);
/* Nobody waits for it any more. */
void weir_http_call_drop(weir_http_exchange* x);
/* Puts a filter into the chain that is being made, which takes the answers. */
void weir_http_call_install(void);
/* Whether `r` is such a side request, or made by one. */
ngx_int_t weir_http_is_call(const ngx_http_request_t* r);

typedef enum { WEIR_HTTP_CALL_URL, WEIR_HTTP_CALL_HOST, WEIR_HTTP_CALL_TARGET } weir_http_call_part;

/* Where the side request `r` goes. NGX_DECLINED: it is none. */
ngx_int_t weir_http_call_text(const ngx_http_request_t* r, weir_http_call_part part,
                              ngx_str_t* text);

/* The line of an exchange that has ended. */
void weir_http_ledger_append(weir_http_exchange* x);

ngx_int_t weir_http_process_head(ngx_http_request_t* r);

ngx_int_t weir_http_relay_init(void* data);
ngx_int_t weir_http_relay(void* data, ssize_t bytes);
/* An answer whose relay has begun broke off. */
void weir_http_relay_failed(weir_http_exchange* x, int32_t failure);
/* It is complete. */
ngx_int_t weir_http_relay_end(weir_http_exchange* x);

/* NGX_OK: backend.sockaddr is known. NGX_AGAIN: weir_http_attempt_address will be called.
 * NGX_ERROR: there is none. */
ngx_int_t weir_http_resolve(weir_http_exchange* x);
void weir_http_attempt_address(weir_http_exchange* x, ngx_int_t rc);

ngx_int_t weir_http_idle_init(weir_http_shared* shared, ngx_pool_t* pool);
ngx_int_t weir_http_idle_take(weir_http_exchange* x, ngx_peer_connection_t* peer);
void weir_http_idle_give(weir_http_exchange* x, ngx_peer_connection_t* peer);

/* The member of a JSON object that a path of names leads to, as its bytes stand in `json` (of text:
 * without the quotes, escapes as they are); empty where there is none, or null. "-1" is an array's
 * last element. */
void weir_http_json_find(const ngx_str_t* json, const char* const* path, ngx_str_t* value);

#endif /* WEIR_BINDINGS_NGINX_WEIR_HTTP_H_ */
