/* Reads a transcript, plays its events and compares what happened with what it expects. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "match.h"

static const char* const kActions[] = {"?",    "continue", "forward", "reply",
                                       "call", "wait",     "finish",  "done"};

static const char* action_name(int32_t kind) {
  return kind >= 0 && kind < (int32_t)(sizeof(kActions) / sizeof(kActions[0])) ? kActions[kind]
                                                                               : "?";
}

static void expect_value(host* h, const char* what, json_t* actual, const json_t* expected) {
  char why[512] = "";
  if (expected != NULL && !match_json(actual, expected, why, sizeof(why))) {
    host_fault(h, "%s%s%s", what, why[0] == '.' || why[0] == '[' ? "" : ": ", why);
  }
  json_decref(actual);
}

static void expect_json_text(host* h, const char* what, const text* actual,
                             const json_t* expected) {
  if (expected == NULL) return;
  json_error_t error;
  json_t* value = json_loadb(actual->bytes == NULL ? "" : actual->bytes, actual->size,
                             JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
  if (value == NULL) {
    host_fault(h, "%s: not JSON (%s): %.300s", what, error.text,
               actual->bytes == NULL ? "" : actual->bytes);
    return;
  }
  expect_value(h, what, value, expected);
}

static void expect_pieces(host* h, const char* what, const text* actual, const json_t* expected) {
  const char* bytes = actual->bytes == NULL ? "" : actual->bytes;
  const json_t* contains = json_object_get(expected, "contains");
  const json_t* lacks = json_object_get(expected, "lacks");
  for (size_t i = 0; i < json_array_size(contains); ++i) {
    const char* piece = json_string_value(json_array_get(contains, i));
    if (strstr(bytes, piece) == NULL) {
      host_fault(h, "%s does not contain \"%s\": %.600s", what, piece, bytes);
    }
  }
  for (size_t i = 0; i < json_array_size(lacks); ++i) {
    const char* piece = json_string_value(json_array_get(lacks, i));
    if (strstr(bytes, piece) != NULL) {
      host_fault(h, "%s contains \"%s\": %.600s", what, piece, bytes);
    }
  }
}

static void expect_headers(host* h, const char* what, const headers* actual,
                           const json_t* expected) {
  const char* name;
  json_t* value;
  json_object_foreach((json_t*)expected, name, value) {
    char why[512];
    if (!match_text(headers_find(actual, name), value, why, sizeof(why))) {
      host_fault(h, "%s header %s: %s", what, name, why);
    }
  }
}

/* What went to one side: headers and body. */
static void expect_message(host* h, const char* what, const headers* list, const text* body,
                           const json_t* expected) {
  char place[64];
  snprintf(place, sizeof(place), "%s body", what);
  expect_headers(h, what, list, json_object_get(expected, "headers"));
  expect_json_text(h, place, body, json_object_get(expected, "body"));
  expect_pieces(h, place, body, expected);
  const json_t* exact = json_object_get(expected, "body_text");
  char why[512];
  if (exact != NULL &&
      !match_text(body->bytes == NULL ? "" : body->bytes, exact, why, sizeof(why))) {
    host_fault(h, "%s: %s", place, why);
  }
}

/* Milliseconds until the last action's deadline. */
static json_t* deadline_ms(const host* h, const exchange* x) {
  if (x->action.deadline_mono_ns == 0) return NULL;
  return json_real((double)(x->action.deadline_mono_ns - host_now(h).mono_ns) / 1e6);
}

static json_t* text_value(const text* t) { return json_string(t->bytes == NULL ? "" : t->bytes); }

/* What a transcript may say about a kind of object; a misspelt word must not pass unread. */
static void expect_words(host* h, const char* what, const json_t* object, const char* words) {
  const char* name;
  json_t* value;
  json_object_foreach((json_t*)object, name, value) {
    char padded[64];
    snprintf(padded, sizeof(padded), " %s ", name);
    if (strstr(words, padded) == NULL) host_fault(h, "%s: no word \"%s\"", what, name);
  }
}

static void expect(host* h, const exchange* x, const json_t* expected) {
  const json_t* backend = json_object_get(expected, "backend");
  const json_t* client = json_object_get(expected, "client");
  expect_words(h, "expect", expected, " action attempt deadline_ms backend client ");
  expect_words(h, "backend", backend, " url target headers body body_text contains lacks ");
  expect_words(h, "client", client, " status headers body body_text contains lacks ");
  const char* action = json_string_value(json_object_get(expected, "action"));
  if (action != NULL && strcmp(action, action_name(x->action.kind)) != 0) {
    host_fault(h, "%s is not %s; status %d, answer so far: %.600s", action_name(x->action.kind),
               action, (int)x->status, x->answer.bytes == NULL ? "" : x->answer.bytes);
    return;
  }
  expect_value(h, "attempt", json_integer(x->action.attempt), json_object_get(expected, "attempt"));
  expect_value(h, "deadline_ms", deadline_ms(h, x), json_object_get(expected, "deadline_ms"));
  if (backend != NULL) {
    expect_value(h, "url", text_value(&x->url), json_object_get(backend, "url"));
    expect_value(h, "target", text_value(&x->target), json_object_get(backend, "target"));
    expect_message(h, "backend", &x->backend_headers, &x->backend_body, backend);
  }
  if (client != NULL) {
    expect_value(h, "status", json_integer(x->status), json_object_get(client, "status"));
    expect_message(h, "client", &x->answer_headers, &x->answer, client);
  }
}

/* No text that weir writes for people holds a secret or a client's credential. */
static void no_secrets(host* h, const char* what, const text* t) {
  const char* name;
  json_t* value;
  json_object_foreach((json_t*)h->secrets, name, value) {
    if (t->bytes != NULL && strstr(t->bytes, json_string_value(value)) != NULL) {
      host_fault(h, "%s holds the secret %s", what, name);
    }
  }
  for (size_t i = 0; i < h->exchange_count; ++i) {
    const char* bearer = headers_find(&h->exchanges[i].client_headers, "authorization");
    const char* key = headers_find(&h->exchanges[i].client_headers, "api-key");
    if (bearer != NULL && strncmp(bearer, "Bearer ", 7) == 0) bearer += 7;
    if (t->bytes != NULL && ((bearer != NULL && *bearer != '\0' && strstr(t->bytes, bearer)) ||
                             (key != NULL && *key != '\0' && strstr(t->bytes, key)))) {
      host_fault(h, "%s holds a client's credential", what);
    }
  }
}

static void expect_written(host* h, const exchange* x, const json_t* event) {
  text written = {NULL, 0};
  const json_t* expected = json_object_get(event, "metrics");
  if (expected != NULL) {
    host_metrics(h, &written);
    expect_words(h, "metrics", expected, " contains lacks ");
    expect_pieces(h, "metrics", &written, expected);
    no_secrets(h, "metrics", &written);
  }
  expected = json_object_get(event, "status");
  if (expected != NULL) {
    host_status(h, &written);
    expect_json_text(h, "status", &written, expected);
  }
  expected = json_object_get(event, "explain");
  if (expected != NULL) {
    host_explain(h, x, &written);
    expect_json_text(h, "explain", &written, expected);
    no_secrets(h, "explain", &written);
  }
  text_free(&written);
}

/* The transaction that an event speaks of: named, or the last one spoken of. */
static exchange* subject(host* h, const json_t* event, const char** last) {
  json_unpack((json_t*)event, "{s?s}", "txn", last);
  if (json_object_get(event, "request") != NULL) return host_begin(h, *last);
  return host_find(h, *last);
}

/* When an event happens: at_ms, or so long after the time that the last refusal named. */
static json_int_t time_of(host* h, const json_t* event, const char* last) {
  json_int_t at_ms = h->at_ms;
  json_unpack((json_t*)event, "{s?I}", "at_ms", &at_ms);
  const json_t* after = json_object_get(event, "after_retry_ms");
  if (after == NULL) return at_ms;
  const exchange* x = host_find(h, last);
  const char* retry = x == NULL ? NULL : headers_find(&x->answer_headers, "retry-after-ms");
  if (retry == NULL) {
    host_fault(h, "the last answer has no retry-after-ms");
    return at_ms;
  }
  return x->replied_at_ms + strtoll(retry, NULL, 10) + json_integer_value(after);
}

static void play_event(host* h, const json_t* event, const char** last) {
  const json_int_t at_ms = time_of(h, event, *last);
  if (at_ms < h->at_ms) host_fault(h, "time goes backward");
  h->at_ms = at_ms;
  expect_words(h, "event", event,
               " at_ms after_retry_ms txn request response more failed call again expect free "
               "reload metrics status explain about ");
  const json_t* reload = json_object_get(event, "reload");
  if (reload != NULL) host_policy(h, reload);
  exchange* x = subject(h, event, last);
  if (x == NULL || x->txn == NULL || h->fault[0] != '\0') {
    const int needs =
        !json_object_get(event, "metrics") && !json_object_get(event, "status") && reload == NULL;
    if (needs) host_fault(h, "no transaction \"%s\"", *last);
  }
  if (h->fault[0] != '\0') return;
  const json_t* value;
  if ((value = json_object_get(event, "request")) != NULL) host_request(h, x, value);
  if ((value = json_object_get(event, "response")) != NULL) host_response(h, x, value);
  if ((value = json_object_get(event, "more")) != NULL) host_more(h, x, value);
  if ((value = json_object_get(event, "failed")) != NULL) {
    host_failed(h, x, json_string_value(value));
  }
  if ((value = json_object_get(event, "call")) != NULL) host_call(h, x, value);
  if (json_is_true(json_object_get(event, "again"))) host_again(h, x);
  if ((value = json_object_get(event, "expect")) != NULL) expect(h, x, value);
  expect_written(h, x, event);
  if (json_is_true(json_object_get(event, "free"))) host_free(h, x);
}

static int play(const host_api* api, const char* path, const json_t* transcript, size_t cut) {
  host* h = calloc(1, sizeof(*h));
  if (h == NULL) abort();
  h->api = api;
  h->cut = cut;
  h->secrets = json_object_get(transcript, "secrets");
  const json_t* events = json_object_get(transcript, "events");
  const char* last = "a";
  size_t at = 0;
  expect_words(h, "transcript", transcript, " about policy secrets events ");
  host_policy(h, json_object_get(transcript, "policy"));
  if (json_array_size(events) == 0) host_fault(h, "no events");
  while (h->fault[0] == '\0' && at < json_array_size(events)) {
    play_event(h, json_array_get(events, at++), &last);
  }
  const int bad = h->fault[0] != '\0';
  if (bad) {
    fprintf(stderr, "%s: event %zu (at %lld ms, \"%s\", cut %zu): %s\n", path, at,
            (long long)h->at_ms, last, cut, h->fault);
  }
  host_close(h);
  free(h);
  return bad;
}

int transcript_play(const host_api* api, const char* path) {
  /* Whole; byte by byte; across every boundary. At length: every size of a piece up to 100. */
  static const size_t usual[] = {0, 1, 7};
  const int at_length = getenv("WEIR_LONG") != NULL;
  const size_t plays = at_length ? 101 : sizeof(usual) / sizeof(usual[0]);
  json_error_t error;
  json_t* transcript = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
  if (transcript == NULL) {
    fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
    return 1;
  }
  int bad = 0;
  for (size_t i = 0; i < plays; ++i) bad += play(api, path, transcript, at_length ? i : usual[i]);
  json_decref(transcript);
  return bad;
}

int transcript_main(const host_api* api, int argc, char** argv) {
  int bad = argc < 2;
  for (int i = 1; i < argc; ++i) bad += transcript_play(api, argv[i]);
  return bad == 0 ? 0 : 1;
}
