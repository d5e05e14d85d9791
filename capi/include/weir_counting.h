/* weir_counting.h: texts, whole requests, and answers as they pass, without policy or engine.
 * A part of weir.h, whose conventions hold here.
 */

#ifndef WEIR_COUNTING_H_
#define WEIR_COUNTING_H_

#ifndef WEIR_H_
#error "include weir.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Tokenizers ----
 *
 * Counts and ids are those of the library that defines the tokenizer (tiktoken, Hugging Face's
 * tokenizers, SentencePiece). Texts are any bytes: each maximal part that is not UTF-8 counts as
 * U+FFFD. Text that looks like a special token ("<|endoftext|>") is text, except where it is said.
 */

/* The built-in tokenizer called `name` ("o200k_base", "cl100k_base"), or the one that a model
 * called so uses ("gpt-4o"); NOT_FOUND when unknown, or left out of this build. Static: never
 * freed. Threads: any. */
WEIR_API weir_status weir_tokenizer_find(const char* name, size_t name_size,
                                         const weir_tokenizer** tokenizer, weir_error* error);

/* A tokenizer from the bytes of its file: a tokenizer.json of Hugging Face, a SentencePiece .model
 * or a .tiktoken rank file, told apart by how they begin. `name` is what it is to be called.
 * `pattern` is of rank files, which do not say how to split a text before it is merged: the name of
 * an encoding, or a regular expression as tiktoken has them; empty for the files that OpenAI has
 * published, which are known. INVALID_ARGUMENT: the file is not sound; UNIMPLEMENTED: it asks for
 * something that weir does not do; the error names it. Takes about 30 ms for 100,000 tokens.
 * Lifetime: free with weir_tokenizer_free. Threads: any. */
WEIR_API weir_status weir_tokenizer_load(const char* name, size_t name_size, const char* bytes,
                                         size_t bytes_size, const char* pattern,
                                         size_t pattern_size, weir_tokenizer** tokenizer,
                                         weir_error* error);

/* Frees a loaded tokenizer, after all that was made with it (counters, stream meters). A built-in
 * one stays. */
WEIR_API void weir_tokenizer_free(weir_tokenizer* tokenizer);

/* What it is called, as a view into it. Threads: any. */
WEIR_API weir_status weir_tokenizer_name(const weir_tokenizer* tokenizer, const char** name,
                                         size_t* name_size);

/* The index-th built-in encoding, as a static view. OUT_OF_RANGE: no such index. Threads: any. */
WEIR_API weir_status weir_encoding_name(uint32_t index, const char** name, size_t* name_size);

/* The encoding that a model uses ("gpt-4o-2024-08-06": "o200k_base"), as a static view: OpenAI's
 * models, dated versions, fine-tunes and Azure's spellings included, or that of the model at which
 * a deployment's name hints ("prod-gpt-4o-eu"). NOT_FOUND: it is not known.
 * Threads: any. */
WEIR_API weir_status weir_encoding_for_model(const char* model, size_t model_size,
                                             const char** encoding, size_t* encoding_size,
                                             weir_error* error);

/* The number of tokens of a text. Threads: any. */
WEIR_API weir_status weir_tokenizer_count(const weir_tokenizer* tokenizer, const char* text,
                                          size_t text_size, uint64_t* count, weir_error* error);

/* The number of tokens of a text if that is at most `limit`, else a number above it: then no more
 * was read than it took to know. Threads: any. */
WEIR_API weir_status weir_tokenizer_count_up_to(const weir_tokenizer* tokenizer, const char* text,
                                                size_t text_size, uint64_t limit, uint64_t* count,
                                                weir_error* error);

/* The token ids of a text. OUT_OF_RANGE: *needed says how many there are. Threads: any. */
WEIR_API weir_status weir_tokenizer_encode(const weir_tokenizer* tokenizer, const char* text,
                                           size_t text_size, uint32_t* ids, size_t capacity,
                                           size_t* needed, weir_error* error);

/* The same, but where the text of a special token stands it is that token: only for text that
 * nobody else has written. Threads: any. */
WEIR_API weir_status weir_tokenizer_encode_with_specials(const weir_tokenizer* tokenizer,
                                                         const char* text, size_t text_size,
                                                         uint32_t* ids, size_t capacity,
                                                         size_t* needed, weir_error* error);

/* The bytes that ids stand for, those of special tokens as their text; parts of characters at the
 * ends, if that is what they are. INVALID_ARGUMENT names the first id that there is not.
 * Threads: any. */
WEIR_API weir_status weir_tokenizer_decode(const weir_tokenizer* tokenizer, const uint32_t* ids,
                                           size_t id_count, char* buffer, size_t capacity,
                                           size_t* needed, weir_error* error);

/* How many bytes of a text make its longest beginning of at most `max_tokens` tokens that ends with
 * a whole token and a whole character: for cutting to a budget, or into chunks. Threads: any. */
WEIR_API weir_status weir_tokenizer_split(const weir_tokenizer* tokenizer, const char* text,
                                          size_t text_size, uint64_t max_tokens, size_t* split_size,
                                          weir_error* error);

/* Whether built-in tokenizers remember how many tokens the pieces have that they merged (they do
 * unless told not to: 3.5 MiB an encoding, for all threads). Counts are the same. Threads: any. */
WEIR_API void weir_tokenizer_set_piece_cache(int32_t on);

/* ---- A counter: the tokens of a text that comes in pieces ----
 *
 * Exact for any cuts. It keeps the last word or two of the text; of a loaded tokenizer that cannot
 * tell what is settled, all of it.
 */

/* Lifetime: free with weir_token_counter_free; a loaded tokenizer must outlive it. Threads: one at
 * a time. */
WEIR_API weir_status weir_token_counter_new(const weir_tokenizer* tokenizer,
                                            weir_token_counter** counter, weir_error* error);

/* The text goes on with these bytes. After RESOURCE_EXHAUSTED it is not known how much of them was
 * counted: every further call but _free is FAILED_PRECONDITION. */
WEIR_API weir_status weir_token_counter_append(weir_token_counter* counter, const char* text,
                                               size_t text_size, weir_error* error);

/* The tokens of all the text so far. Counts the end of the text again: not for every byte. */
WEIR_API weir_status weir_token_counter_total(const weir_token_counter* counter, uint64_t* count,
                                              weir_error* error);

WEIR_API void weir_token_counter_free(weir_token_counter* counter);

/* ---- Requests ---- */

/* Whose wire format. Compatible servers (vLLM, Ollama, Groq, Mistral, DeepSeek) speak OpenAI's. */
enum {
  WEIR_DIALECT_OPENAI = 1,
  WEIR_DIALECT_AZURE_OPENAI = 2,
  WEIR_DIALECT_ANTHROPIC = 3,
  WEIR_DIALECT_GEMINI = 4,
  WEIR_DIALECT_BEDROCK = 5
};

/* What is asked. CHAT is also Anthropic's messages, Gemini's generateContent, Bedrock's converse.
 */
enum {
  WEIR_OPERATION_CHAT = 1,
  WEIR_OPERATION_RESPONSES = 2,
  WEIR_OPERATION_COMPLETIONS = 3,
  WEIR_OPERATION_EMBEDDINGS = 4
};

/* How sure a number of tokens is. */
enum {
  WEIR_PROVENANCE_EXACT = 1,       /* what will be billed */
  WEIR_PROVENANCE_PROVIDER = 2,    /* what the provider stated */
  WEIR_PROVENANCE_UPPER_BOUND = 3, /* at most this */
  WEIR_PROVENANCE_ESTIMATED = 4
};

typedef struct weir_request_options {
  uint32_t size;      /* sizeof(weir_request_options) */
  int32_t dialect;    /* WEIR_DIALECT_…; 0: as the target says, else by the body's shape */
  int32_t operation;  /* WEIR_OPERATION_…; 0: likewise */
  int32_t is_standin; /* not 0: `tokenizer` is not the model's own; the count is an estimate */
  uint64_t limit;     /* stop as soon as the count is above this; 0 = never */
  const char* target; /* what it was sent to, path and query; may be empty */
  size_t target_size;
  const char* model; /* names the model; empty: as the target says, else the body */
  size_t model_size;
  const weir_tokenizer* tokenizer; /* null: the model's, or a stand-in if that is not known */
} weir_request_options;

typedef struct weir_prompt_count {
  uint32_t size;          /* in: sizeof(weir_prompt_count) */
  int32_t provenance;     /* WEIR_PROVENANCE_…, of the weakest part */
  uint64_t prompt_tokens; /* above the limit: some number above it */
  int32_t dialect;        /* what the body was read as */
  int32_t operation;
  uint32_t is_guess;    /* 1: that was told by the body's shape */
  uint32_t model_known; /* 1: counted with the model's own tokenizer */
} weir_prompt_count;

/* The prompt tokens of a whole request: texts, the frames of messages, tools, schemas, images.
 * `options` may be null. INVALID_ARGUMENT: the body is not one JSON object, nests deeper than 64,
 * repeats a key, or has no shape that is known while nothing says what it is. A model that is not
 * known is no error: the count is an estimate then. Fields of a wrong type count as absent.
 * Threads: any. */
WEIR_API weir_status weir_count_request(const weir_request_options* options, const char* body,
                                        size_t body_size, weir_prompt_count* count,
                                        weir_error* error);

/* The same as one JSON object, with what each part adds:
 *   {"prompt_tokens":12,"provenance":"exact","dialect":"openai","operation":"chat",
 *    "is_guess":true,"model":"gpt-4o","model_known":true,"encoding":"o200k_base",
 *    "parts":[{"kind":"message","path":"messages[0]","tokens":9,"provenance":"exact"},…]}
 * No text of the request is in it. Threads: any. */
WEIR_API weir_status weir_count_request_json(const weir_request_options* options, const char* body,
                                             size_t body_size, char* buffer, size_t capacity,
                                             size_t* needed, weir_error* error);

/* ---- Stream meter: what an answer comes to, told as it passes ----
 *
 * The bytes of an answer's body go in as they come, in any pieces. What the provider states counts;
 * where it states nothing, or what cannot be, the text that passed is counted: content, refusals,
 * thoughts that are shown, tool calls, of all choices. No text is kept.
 */

typedef struct weir_stream_meter_options {
  uint32_t size;       /* sizeof(weir_stream_meter_options) */
  int32_t dialect;     /* WEIR_DIALECT_…; 0 = OPENAI */
  int32_t operation;   /* WEIR_OPERATION_…; 0 = CHAT */
  int32_t strip_usage; /* not 0: leave the events out that only state a usage (see _relay) */
  int32_t is_standin;  /* not 0: `tokenizer` is not the model's own; the count is an estimate */
  uint32_t max_decoded_ratio; /* of bytes decoded to bytes fed, past the first MiB; 0 = 256 */
  uint64_t max_event_bytes;   /* a larger event passes unread; 0 = 1 MiB */
  uint64_t max_body_bytes;    /* of an answer that is no stream; 0 = 32 MiB */
  uint64_t max_decoded_bytes; /* of an encoded answer; 0 = 1 GiB */
  const char* content_type;   /* the answer's header; empty: text/event-stream */
  size_t content_type_size;
  const char* content_encoding; /* "gzip", "deflate", "br", "zstd"; empty: none */
  size_t content_encoding_size;
  const weir_tokenizer* tokenizer; /* null: a token for each three bytes */
  /* What is billed beside the texts depends on these; without a model nothing is added to them. */
  const char* model;
  size_t model_size;
  int32_t declares_functions; /* not 0: the request has tools or functions */
  int32_t reserved;           /* 0 */
} weir_stream_meter_options;

/* Why (the rest of) a body was not read. */
enum {
  WEIR_UNREAD_NOTHING = 0,
  WEIR_UNREAD_UNKNOWN_ENCODING = 1,
  WEIR_UNREAD_CORRUPT_ENCODING = 2,
  WEIR_UNREAD_TOO_LARGE = 3
};

/* The stated_ numbers are the provider's, brought to one convention, in which a part is always
 * inside its whole; -1: not stated. */
typedef struct weir_usage {
  uint32_t size;              /* in: sizeof(weir_usage) */
  int32_t provenance;         /* WEIR_PROVENANCE_…, of completion_tokens */
  uint64_t completion_tokens; /* what the answer comes to: stated, or counted */
  uint64_t counted_tokens;    /* of the text that was seen, whatever is stated */
  uint64_t text_bytes;        /* its size */
  int64_t stated_prompt;
  int64_t stated_completion;
  int64_t stated_cached;      /* of the prompt, read from a cache */
  int64_t stated_cache_write; /* of the prompt, written to a cache */
  int64_t stated_reasoning;   /* of the completion */
  int64_t stated_audio_prompt;
  int64_t stated_audio_completion;
  int64_t stated_accepted_prediction;
  int64_t stated_rejected_prediction;
  int64_t stated_total; /* for the record; the sum of prompt and completion is what to book */
  uint32_t is_complete; /* 1: the body's own last word came */
  uint32_t is_error;    /* 1: the body tells of an error */
  uint32_t is_anomaly;  /* 1: something was stated that cannot be */
  int32_t unread;       /* WEIR_UNREAD_… */
} weir_usage;

/* `options` may be null. Lifetime: free with weir_stream_meter_free; a loaded tokenizer must
 * outlive it. Threads: one at a time. Memory: under 1 KiB while a stream waits. */
WEIR_API weir_status weir_stream_meter_new(const weir_stream_meter_options* options,
                                           weir_stream_meter** meter, weir_error* error);

/* A piece of the answer's body, as it came. FAILED_PRECONDITION after _end, _client_left or an
 * error. */
WEIR_API weir_status weir_stream_meter_feed(weir_stream_meter* meter, const char* bytes,
                                            size_t bytes_size, weir_error* error);

/* The body is complete, as its framing says. */
WEIR_API weir_status weir_stream_meter_end(weir_stream_meter* meter, weir_error* error);

/* The client, or the provider, is gone in the middle of it: what passed is what is counted. */
WEIR_API weir_status weir_stream_meter_client_left(weir_stream_meter* meter, weir_error* error);

/* With strip_usage: the bytes to pass on for the last _feed or _end, instead of those fed; a view.
 * Without it what was fed is what to pass on, and this is empty. */
WEIR_API weir_status weir_stream_meter_relay(const weir_stream_meter* meter, const char** bytes,
                                             size_t* bytes_size);

/* What the answer comes to so far; at any time, also after an error. Counts what is pending: not
 * for every piece. */
WEIR_API weir_status weir_stream_meter_usage(const weir_stream_meter* meter, weir_usage* usage,
                                             weir_error* error);

WEIR_API void weir_stream_meter_free(weir_stream_meter* meter);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WEIR_COUNTING_H_ */
