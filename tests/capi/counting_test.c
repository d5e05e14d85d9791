/* Counting from C, without policy or engine: tokenizers, counters, requests, stream meters. */

#include "check.h"

static weir_error error = {.size = sizeof(error)};

static const weir_tokenizer* built_in(const char* name) {
  const weir_tokenizer* tokenizer = NULL;
  CHECK_OK(weir_tokenizer_find(name, strlen(name), &tokenizer, &error), &error);
  return tokenizer;
}

static void test_names(void) {
  const char* name = NULL;
  size_t size = 0;
  int found = 0;
  for (uint32_t i = 0; weir_encoding_name(i, &name, &size) == WEIR_OK; ++i) {
    const weir_tokenizer* tokenizer = NULL;
    const char* again = NULL;
    size_t again_size = 0;
    CHECK_OK(weir_tokenizer_find(name, size, &tokenizer, &error), &error);
    CHECK_EQ(weir_tokenizer_name(tokenizer, &again, &again_size), WEIR_OK);
    CHECK(again_size == size && memcmp(name, again, size) == 0);
    if (text_is(name, size, "o200k_base")) ++found;
  }
  CHECK_EQ(found, 1);
  CHECK_EQ(weir_encoding_name(UINT32_MAX, &name, &size), WEIR_OUT_OF_RANGE);

  CHECK_OK(weir_encoding_for_model("gpt-4o-2024-08-06", 17, &name, &size, &error), &error);
  CHECK(text_is(name, size, "o200k_base"));
  CHECK_OK(weir_encoding_for_model("gpt-35-turbo", 12, &name, &size, &error), &error);
  CHECK(text_is(name, size, "cl100k_base"));
  name = NULL;
  CHECK_EQ(weir_encoding_for_model("no-such-model", 13, &name, &size, &error), WEIR_NOT_FOUND);
  CHECK(name == NULL);
  /* The error says what there is. */
  CHECK(strstr(error.message, "no-such-model") != NULL);
  CHECK(strstr(error.message, "o200k_base") != NULL);
}

static void test_texts(void) {
  static const char text[] = "Hello, world";
  const weir_tokenizer* tokenizer = built_in("o200k_base");
  uint64_t count = 0;
  CHECK_OK(weir_tokenizer_count_up_to(tokenizer, text, 12, 3, &count, &error), &error);
  CHECK_EQ(count, 3);
  CHECK_OK(weir_tokenizer_count_up_to(tokenizer, text, 12, 2, &count, &error), &error);
  CHECK(count > 2);
  CHECK_OK(weir_tokenizer_count_up_to(tokenizer, text, 12, UINT64_MAX, &count, &error), &error);
  CHECK_EQ(count, 3);

  size_t split = 99;
  CHECK_OK(weir_tokenizer_split(tokenizer, text, 12, 2, &split, &error), &error);
  CHECK_EQ(split, 6);
  CHECK_OK(weir_tokenizer_split(tokenizer, text, 12, 0, &split, &error), &error);
  CHECK_EQ(split, 0);
  CHECK_OK(weir_tokenizer_split(tokenizer, text, 12, UINT64_MAX, &split, &error), &error);
  CHECK_EQ(split, 12);

  const uint32_t ids[] = {13225, 11, 2375};
  char bytes[16];
  size_t needed = 0;
  CHECK_OK(weir_tokenizer_decode(tokenizer, ids, 3, bytes, sizeof(bytes), &needed, &error), &error);
  CHECK(text_is(bytes, needed, text));
  memset(bytes, '#', sizeof(bytes));
  CHECK_EQ(weir_tokenizer_decode(tokenizer, ids, 3, bytes, 11, &needed, &error), WEIR_OUT_OF_RANGE);
  CHECK_EQ(needed, 12);
  CHECK_EQ(bytes[0], '#');
  CHECK_OK(weir_tokenizer_decode(tokenizer, NULL, 0, NULL, 0, &needed, &error), &error);
  CHECK_EQ(needed, 0);
  const uint32_t none = 4000000000u;
  CHECK_EQ(weir_tokenizer_decode(tokenizer, &none, 1, bytes, sizeof(bytes), &needed, &error),
           WEIR_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "4000000000") != NULL);

  /* Special tokens are text unless asked for. */
  static const char special[] = "<|endoftext|>";
  uint32_t encoded[16];
  CHECK_OK(weir_tokenizer_encode(tokenizer, special, 13, encoded, 16, &needed, &error), &error);
  CHECK(needed > 1);
  CHECK_OK(
      weir_tokenizer_encode_with_specials(tokenizer, special, 13, encoded, 16, &needed, &error),
      &error);
  CHECK_EQ(needed, 1);
  CHECK_EQ(encoded[0], 199999);
  CHECK_OK(weir_tokenizer_decode(tokenizer, encoded, 1, bytes, sizeof(bytes), &needed, &error),
           &error);
  CHECK(text_is(bytes, needed, special));

  weir_tokenizer_set_piece_cache(0);
  CHECK_OK(weir_tokenizer_count(tokenizer, text, 12, &count, &error), &error);
  CHECK_EQ(count, 3);
  weir_tokenizer_set_piece_cache(1);
}

static const char kWords[] =
    "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"[UNK]\","
    "\"vocab\":{\"[UNK]\":0,\"hello\":1,\"world\":2}},"
    "\"pre_tokenizer\":{\"type\":\"Whitespace\"}}";

static void test_loaded(void) {
  weir_tokenizer* tokenizer = NULL;
  CHECK_OK(weir_tokenizer_load("words", 5, kWords, strlen(kWords), NULL, 0, &tokenizer, &error),
           &error);
  if (tokenizer == NULL) return;
  const char* name = NULL;
  size_t size = 0;
  CHECK_EQ(weir_tokenizer_name(tokenizer, &name, &size), WEIR_OK);
  CHECK(text_is(name, size, "words"));
  uint32_t ids[4] = {0};
  CHECK_OK(weir_tokenizer_encode(tokenizer, "hello world there", 17, ids, 4, &size, &error),
           &error);
  CHECK_EQ(size, 3);
  CHECK(ids[0] == 1 && ids[1] == 2 && ids[2] == 0);

  weir_token_counter* counter = NULL;
  uint64_t count = 0;
  CHECK_OK(weir_token_counter_new(tokenizer, &counter, &error), &error);
  CHECK_OK(weir_token_counter_append(counter, "hello wor", 9, &error), &error);
  CHECK_OK(weir_token_counter_append(counter, "ld", 2, &error), &error);
  CHECK_OK(weir_token_counter_total(counter, &count, &error), &error);
  CHECK_EQ(count, 2);
  weir_token_counter_free(counter);
  weir_tokenizer_free(tokenizer);

  tokenizer = NULL;
  CHECK_EQ(weir_tokenizer_load("x", 1, "nothing", 7, NULL, 0, &tokenizer, &error),
           WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_tokenizer_load("x", 1, NULL, 0, NULL, 0, &tokenizer, &error),
           WEIR_INVALID_ARGUMENT);
  static const char unknown[] = "{\"model\":{\"type\":\"Telepathy\"}}";
  CHECK(weir_tokenizer_load("x", 1, unknown, strlen(unknown), NULL, 0, &tokenizer, &error) !=
        WEIR_OK);
  CHECK(strstr(error.message, "Telepathy") != NULL);
  CHECK(tokenizer == NULL);
}

/* Of rank files: every byte, and one merge. */
static void test_rank_file(void) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char file[8192];
  size_t size = 0;
  for (unsigned byte = 0; byte < 256; ++byte) {
    size += (size_t)snprintf(file + size, sizeof(file) - size, "%c%c== %u\n", digits[byte >> 2],
                             digits[(byte & 3) << 4], byte);
  }
  size += (size_t)snprintf(file + size, sizeof(file) - size, "YWI= 256\n"); /* "ab" */
  weir_tokenizer* tokenizer = NULL;
  /* Nobody knows how such a file splits texts. */
  CHECK(weir_tokenizer_load("own", 3, file, size, NULL, 0, &tokenizer, &error) != WEIR_OK);
  CHECK_OK(weir_tokenizer_load("own", 3, file, size, "cl100k_base", 11, &tokenizer, &error),
           &error);
  uint64_t count = 0;
  CHECK_OK(weir_tokenizer_count(tokenizer, "abab c", 6, &count, &error), &error);
  CHECK_EQ(count, 4);
  weir_tokenizer_free(tokenizer);
}

/* A built-in one is the process's, whoever frees it. */
static void test_built_in_stays(void) {
  uint64_t count = 0;
  weir_tokenizer_free((weir_tokenizer*)(uintptr_t)built_in("o200k_base"));
  CHECK_OK(weir_tokenizer_count(built_in("o200k_base"), "Hello", 5, &count, &error), &error);
  CHECK_EQ(count, 1);
}

static void test_counter(void) {
  static const char text[] =
      "The caf\xc3\xa9 \xe2\x82\xac"
      "1,299.00   costs\n\n  \xf0\x9f\x98\x80 more";
  const weir_tokenizer* tokenizer = built_in("cl100k_base");
  const size_t size = strlen(text);
  uint64_t whole = 0;
  CHECK_OK(weir_tokenizer_count(tokenizer, text, size, &whole, &error), &error);
  for (size_t cut = 0; cut <= size; ++cut) {
    weir_token_counter* counter = NULL;
    uint64_t count = 99;
    CHECK_OK(weir_token_counter_new(tokenizer, &counter, &error), &error);
    CHECK_OK(weir_token_counter_total(counter, &count, &error), &error);
    CHECK_EQ(count, 0);
    CHECK_OK(weir_token_counter_append(counter, text, cut, &error), &error);
    CHECK_OK(weir_token_counter_append(counter, NULL, 0, &error), &error);
    CHECK_OK(weir_token_counter_append(counter, text + cut, size - cut, &error), &error);
    CHECK_OK(weir_token_counter_total(counter, &count, &error), &error);
    CHECK_EQ(count, whole);
    weir_token_counter_free(counter);
  }
}

static weir_status count_body(const weir_request_options* options, const char* body,
                              weir_prompt_count* count) {
  memset(count, 0, sizeof(*count));
  count->size = sizeof(*count);
  return weir_count_request(options, body, strlen(body), count, &error);
}

static void test_request_count(void) {
  weir_prompt_count count;
  weir_request_options options = {.size = sizeof(options)};
  CHECK_OK(count_body(NULL, TEST_BODY, &count), &error);
  CHECK_EQ(count.prompt_tokens, 10);
  CHECK_EQ(count.provenance, WEIR_PROVENANCE_EXACT);
  CHECK_EQ(count.dialect, WEIR_DIALECT_OPENAI);
  CHECK_EQ(count.operation, WEIR_OPERATION_CHAT);
  CHECK_EQ(count.is_guess, 1);
  CHECK_EQ(count.model_known, 1);
  CHECK_EQ(count.size, sizeof(count));

  /* Said, not guessed; and where it was sent to says it, too. */
  options.dialect = WEIR_DIALECT_AZURE_OPENAI;
  options.operation = WEIR_OPERATION_CHAT;
  CHECK_OK(count_body(&options, TEST_BODY, &count), &error);
  CHECK_EQ(count.dialect, WEIR_DIALECT_AZURE_OPENAI);
  CHECK_EQ(count.is_guess, 0);
  options.dialect = options.operation = 0;
  options.target = "/openai/deployments/gpt-4/chat/completions?api-version=2024-10-21";
  options.target_size = strlen(options.target);
  CHECK_OK(count_body(&options, TEST_BODY, &count), &error);
  CHECK_EQ(count.dialect, WEIR_DIALECT_AZURE_OPENAI);
  CHECK_EQ(count.is_guess, 0);

  /* A model that nobody knows is estimated; a tokenizer of one's own is not, unless it stands in.
   */
  options = (weir_request_options){.size = sizeof(options), .model = "secret", .model_size = 6};
  CHECK_OK(count_body(&options, TEST_BODY, &count), &error);
  CHECK_EQ(count.model_known, 0);
  CHECK_EQ(count.provenance, WEIR_PROVENANCE_ESTIMATED);
  options = (weir_request_options){.size = sizeof(options), .tokenizer = built_in("o200k_base")};
  CHECK_OK(count_body(&options, TEST_BODY, &count), &error);
  CHECK_EQ(count.model_known, 1);
  options.is_standin = 1;
  CHECK_OK(count_body(&options, TEST_BODY, &count), &error);
  CHECK_EQ(count.model_known, 0);

  options = (weir_request_options){.size = sizeof(options), .limit = 3};
  CHECK_OK(count_body(&options, TEST_BODY, &count), &error);
  CHECK(count.prompt_tokens > 3);
}

static void test_request_shapes(void) {
  static const struct {
    const char* body;
    int32_t dialect, operation;
  } shapes[] = {
      {"{\"messages\":[]}", WEIR_DIALECT_OPENAI, WEIR_OPERATION_CHAT},
      {"{\"model\":\"claude-sonnet-4\",\"max_tokens\":9,\"messages\":[]}", WEIR_DIALECT_ANTHROPIC,
       WEIR_OPERATION_CHAT},
      {"{\"system\":\"Be brief.\",\"messages\":[]}", WEIR_DIALECT_ANTHROPIC, WEIR_OPERATION_CHAT},
      {"{\"messages\":[],\"tools\":[{\"name\":\"f\",\"input_schema\":{}}]}", WEIR_DIALECT_ANTHROPIC,
       WEIR_OPERATION_CHAT},
      {"{\"model\":\"claude\",\"messages\":[],\"tools\":[{\"type\":\"function\",\"function\":{}}]}",
       WEIR_DIALECT_OPENAI, WEIR_OPERATION_CHAT},
      {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"}]}]}", WEIR_DIALECT_BEDROCK,
       WEIR_OPERATION_CHAT},
      {"{\"anthropic_version\":\"bedrock-2023-05-31\",\"messages\":[]}", WEIR_DIALECT_BEDROCK,
       WEIR_OPERATION_CHAT},
      {"{\"prompt\":\"a\",\"num_generations\":1}", WEIR_DIALECT_BEDROCK, WEIR_OPERATION_CHAT},
      {"{\"contents\":[]}", WEIR_DIALECT_GEMINI, WEIR_OPERATION_CHAT},
      {"{\"content\":{\"parts\":[]}}", WEIR_DIALECT_GEMINI, WEIR_OPERATION_EMBEDDINGS},
      {"{\"input\":\"a\",\"model\":\"gpt-4o\"}", WEIR_DIALECT_OPENAI, WEIR_OPERATION_RESPONSES},
      {"{\"prompt\":{\"id\":\"p\"}}", WEIR_DIALECT_OPENAI, WEIR_OPERATION_RESPONSES},
      {"{\"input\":\"a\",\"model\":\"text-embedding-3-small\"}", WEIR_DIALECT_OPENAI,
       WEIR_OPERATION_EMBEDDINGS},
      {"{\"input\":[\"a\",\"b\"]}", WEIR_DIALECT_OPENAI, WEIR_OPERATION_EMBEDDINGS},
      {"{\"prompt\":\"a\"}", WEIR_DIALECT_OPENAI, WEIR_OPERATION_COMPLETIONS},
  };
  for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); ++i) {
    weir_prompt_count count;
    CHECK_OK(count_body(NULL, shapes[i].body, &count), &error);
    if (count.dialect != shapes[i].dialect || count.operation != shapes[i].operation) {
      fprintf(stderr, "%s: read as %d %d\n", shapes[i].body, count.dialect, count.operation);
      ++check_failures;
    }
    CHECK_EQ(count.is_guess, 1);
  }
}

static void test_request_faults(void) {
  weir_prompt_count count;
  weir_request_options options = {.size = sizeof(options)};
  CHECK_EQ(count_body(NULL, "{\"messages\":\n ]", &count), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(error.line, 2);
  CHECK_EQ(error.column, 2);
  CHECK_EQ(count_body(NULL, "[]", &count), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(count_body(NULL, "{}", &count), WEIR_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "dialect") != NULL);
  CHECK_EQ(count_body(NULL, "{\"messages\":[],\"messages\":[]}", &count), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(count.prompt_tokens, 0);
  options.dialect = 99;
  CHECK_EQ(count_body(&options, TEST_BODY, &count), WEIR_INVALID_ARGUMENT);
  options.dialect = 0;
  options.operation = -1;
  CHECK_EQ(count_body(&options, TEST_BODY, &count), WEIR_INVALID_ARGUMENT);
  options.operation = 0;
  options.model_size = 4; /* of null */
  CHECK_EQ(count_body(&options, TEST_BODY, &count), WEIR_INVALID_ARGUMENT);
}

static void test_request_json(void) {
  char text[1024];
  size_t needed = 0, again = 0;
  CHECK_OK(weir_count_request_json(NULL, TEST_BODY, strlen(TEST_BODY), text, sizeof(text) - 1,
                                   &needed, &error),
           &error);
  text[needed < sizeof(text) ? needed : 0] = '\0';
  CHECK(strstr(text,
               "{\"prompt_tokens\":10,\"provenance\":\"exact\",\"dialect\":\"openai\","
               "\"operation\":\"chat\",\"is_guess\":true,\"model\":\"gpt-4o\","
               "\"model_known\":true,\"encoding\":\"o200k_base\",\"parts\":[{") == text);
  CHECK(strstr(text, "{\"kind\":\"message\",\"path\":\"messages[0]\",\"tokens\":") != NULL);
  CHECK(strstr(text, "Say hello") == NULL);
  CHECK_EQ(weir_count_request_json(NULL, TEST_BODY, strlen(TEST_BODY), text, 3, &again, &error),
           WEIR_OUT_OF_RANGE);
  CHECK_EQ(again, needed);
}

#define EVENT(rest) "data: {\"model\":\"gpt-4o\"," rest "}\n\n"
static const char kText[] =
    EVENT("\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hello, \"}}]");
static const char kMore[] = EVENT("\"choices\":[{\"index\":0,\"delta\":{\"content\":\"world\"}}]");
static const char kFinish[] =
    EVENT("\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]");
static const char kUsage[] = EVENT(
    "\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":5,"
    "\"total_tokens\":13,\"prompt_tokens_details\":{\"cached_tokens\":2}}");
static const char kDone[] = "data: [DONE]\n\n";

static weir_usage read_usage(const weir_stream_meter* meter) {
  weir_usage usage = {.size = sizeof(usage)};
  CHECK_OK(weir_stream_meter_usage(meter, &usage, &error), &error);
  return usage;
}

static weir_stream_meter* meter_of(int32_t strip_usage) {
  weir_stream_meter* meter = NULL;
  weir_stream_meter_options options = {.size = sizeof(options), .strip_usage = strip_usage};
  options.tokenizer = built_in("o200k_base");
  CHECK_OK(weir_stream_meter_new(&options, &meter, &error), &error);
  return meter;
}

static void feed(weir_stream_meter* meter, const char* bytes) {
  CHECK_OK(weir_stream_meter_feed(meter, bytes, strlen(bytes), &error), &error);
}

static void test_meter_states(void) {
  weir_stream_meter* meter = meter_of(1);
  const char* relayed = NULL;
  size_t size = 0;
  feed(meter, kText);
  CHECK_EQ(weir_stream_meter_relay(meter, &relayed, &size), WEIR_OK);
  CHECK(text_is(relayed, size, kText));
  feed(meter, kMore);
  feed(meter, kFinish);
  feed(meter, kUsage);
  CHECK_EQ(weir_stream_meter_relay(meter, &relayed, &size), WEIR_OK);
  CHECK_EQ(size, 0); /* the event that only states a usage is left out */
  feed(meter, kDone);
  CHECK_OK(weir_stream_meter_end(meter, &error), &error);
  const weir_usage usage = read_usage(meter);
  CHECK_EQ(usage.completion_tokens, 5);
  CHECK_EQ(usage.provenance, WEIR_PROVENANCE_PROVIDER);
  CHECK_EQ(usage.counted_tokens, 3);
  CHECK_EQ(usage.text_bytes, 12);
  CHECK_EQ(usage.stated_prompt, 8);
  CHECK_EQ(usage.stated_completion, 5);
  CHECK_EQ(usage.stated_cached, 2);
  CHECK_EQ(usage.stated_reasoning, -1);
  CHECK_EQ(usage.stated_total, 13);
  CHECK_EQ(usage.is_complete, 1);
  CHECK_EQ(usage.is_error, 0);
  CHECK_EQ(usage.is_anomaly, 0);
  CHECK_EQ(usage.unread, WEIR_UNREAD_NOTHING);
  CHECK_EQ(weir_stream_meter_feed(meter, "x", 1, &error), WEIR_FAILED_PRECONDITION);
  CHECK_EQ(weir_stream_meter_end(meter, &error), WEIR_FAILED_PRECONDITION);
  weir_stream_meter_free(meter);
}

static void test_meter_counts(void) {
  /* Nothing stated, all of it seen. */
  weir_stream_meter* meter = meter_of(0);
  const char* relayed = NULL;
  size_t size = 99;
  CHECK_EQ(read_usage(meter).completion_tokens, 0);
  feed(meter, kText);
  CHECK_EQ(weir_stream_meter_relay(meter, &relayed, &size), WEIR_OK);
  CHECK_EQ(size, 0); /* what was fed is what to pass on */
  feed(meter, kMore);
  feed(meter, kFinish);
  feed(meter, kDone);
  CHECK_OK(weir_stream_meter_end(meter, &error), &error);
  weir_usage usage = read_usage(meter);
  CHECK_EQ(usage.completion_tokens, 3);
  CHECK_EQ(usage.provenance, WEIR_PROVENANCE_EXACT);
  CHECK_EQ(usage.stated_completion, -1);
  weir_stream_meter_free(meter);

  /* The client left in the middle. */
  meter = meter_of(0);
  feed(meter, kText);
  CHECK_OK(weir_stream_meter_client_left(meter, &error), &error);
  usage = read_usage(meter);
  CHECK(usage.completion_tokens > 0);
  CHECK_EQ(usage.provenance, WEIR_PROVENANCE_ESTIMATED);
  CHECK_EQ(usage.is_complete, 0);
  CHECK_EQ(weir_stream_meter_feed(meter, "x", 1, &error), WEIR_FAILED_PRECONDITION);
  weir_stream_meter_free(meter);

  /* An encoding that nobody knows says so. */
  weir_stream_meter_options options = {.size = sizeof(options)};
  options.content_encoding = "rot13";
  options.content_encoding_size = 5;
  meter = NULL;
  CHECK_OK(weir_stream_meter_new(&options, &meter, &error), &error);
  feed(meter, "qngn: ...");
  CHECK_EQ(read_usage(meter).unread, WEIR_UNREAD_UNKNOWN_ENCODING);
  weir_stream_meter_free(meter);

  /* Whole answers, by their content type; and no options at all. */
  options = (weir_stream_meter_options){.size = sizeof(options)};
  options.content_type = "application/json";
  options.content_type_size = 16;
  CHECK_OK(weir_stream_meter_new(&options, &meter, &error), &error);
  feed(meter, TEST_ANSWER);
  CHECK_OK(weir_stream_meter_end(meter, &error), &error);
  CHECK_EQ(read_usage(meter).completion_tokens, 3);
  weir_stream_meter_free(meter);
  CHECK_OK(weir_stream_meter_new(NULL, &meter, &error), &error);
  weir_stream_meter_free(meter);
  options.operation = 5;
  CHECK_EQ(weir_stream_meter_new(&options, &meter, &error), WEIR_INVALID_ARGUMENT);
}

int main(void) {
  test_names();
  test_texts();
  test_loaded();
  test_rank_file();
  test_built_in_stays();
  test_counter();
  test_request_count();
  test_request_shapes();
  test_request_faults();
  test_request_json();
  test_meter_states();
  test_meter_counts();
  return check_report("counting_test");
}
