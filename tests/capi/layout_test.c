/* The layouts and numbers that compiled callers rely on. Compiled as C11 with -Wpadded: a struct of
 * the ABI has no hole. Changing a line here is an ABI break. */

#include <stddef.h>
#include <weir.h>

#define FIELD(type, field, at, bytes)                                       \
  _Static_assert(offsetof(type, field) == (at), #type "." #field " moved"); \
  _Static_assert(sizeof(((type*)0)->field) == (bytes), #type "." #field " changed its size")
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its size")
#define VALUE(name, value) _Static_assert((name) == (value), #name " changed its value")

SIZE(weir_status, 4);

FIELD(weir_now, mono_ns, 0, 8);
FIELD(weir_now, unix_ns, 8, 8);
SIZE(weir_now, 16);

FIELD(weir_error, size, 0, 4);
FIELD(weir_error, code, 4, 4);
FIELD(weir_error, offset, 8, 8);
FIELD(weir_error, line, 16, 4);
FIELD(weir_error, column, 20, 4);
FIELD(weir_error, message, 24, 1000);
SIZE(weir_error, 1024);

FIELD(weir_engine_options, size, 0, 4);
FIELD(weir_engine_options, max_counters, 4, 4);
FIELD(weir_engine_options, state_bytes, 8, 8);
FIELD(weir_engine_options, seed, 16, 8);
FIELD(weir_engine_options, state_file, 24, 8);
FIELD(weir_engine_options, state_file_size, 32, 8);
SIZE(weir_engine_options, 40);

FIELD(weir_action, size, 0, 4);
FIELD(weir_action, kind, 4, 4);
FIELD(weir_action, status, 8, 4);
FIELD(weir_action, relay, 12, 4);
FIELD(weir_action, header_count, 16, 4);
FIELD(weir_action, attempt, 20, 4);
FIELD(weir_action, call_id, 24, 8);
FIELD(weir_action, deadline_mono_ns, 32, 8);
FIELD(weir_action, wake_mono_ns, 40, 8);
FIELD(weir_action, parallel, 48, 4);
FIELD(weir_action, reserved, 52, 4);
SIZE(weir_action, 56);

FIELD(weir_request_options, size, 0, 4);
FIELD(weir_request_options, dialect, 4, 4);
FIELD(weir_request_options, operation, 8, 4);
FIELD(weir_request_options, is_standin, 12, 4);
FIELD(weir_request_options, limit, 16, 8);
FIELD(weir_request_options, target, 24, 8);
FIELD(weir_request_options, target_size, 32, 8);
FIELD(weir_request_options, model, 40, 8);
FIELD(weir_request_options, model_size, 48, 8);
FIELD(weir_request_options, tokenizer, 56, 8);
SIZE(weir_request_options, 64);

FIELD(weir_prompt_count, size, 0, 4);
FIELD(weir_prompt_count, provenance, 4, 4);
FIELD(weir_prompt_count, prompt_tokens, 8, 8);
FIELD(weir_prompt_count, dialect, 16, 4);
FIELD(weir_prompt_count, operation, 20, 4);
FIELD(weir_prompt_count, is_guess, 24, 4);
FIELD(weir_prompt_count, model_known, 28, 4);
SIZE(weir_prompt_count, 32);

FIELD(weir_stream_meter_options, size, 0, 4);
FIELD(weir_stream_meter_options, dialect, 4, 4);
FIELD(weir_stream_meter_options, operation, 8, 4);
FIELD(weir_stream_meter_options, strip_usage, 12, 4);
FIELD(weir_stream_meter_options, is_standin, 16, 4);
FIELD(weir_stream_meter_options, max_decoded_ratio, 20, 4);
FIELD(weir_stream_meter_options, max_event_bytes, 24, 8);
FIELD(weir_stream_meter_options, max_body_bytes, 32, 8);
FIELD(weir_stream_meter_options, max_decoded_bytes, 40, 8);
FIELD(weir_stream_meter_options, content_type, 48, 8);
FIELD(weir_stream_meter_options, content_type_size, 56, 8);
FIELD(weir_stream_meter_options, content_encoding, 64, 8);
FIELD(weir_stream_meter_options, content_encoding_size, 72, 8);
FIELD(weir_stream_meter_options, tokenizer, 80, 8);
FIELD(weir_stream_meter_options, model, 88, 8);
FIELD(weir_stream_meter_options, model_size, 96, 8);
FIELD(weir_stream_meter_options, declares_functions, 104, 4);
FIELD(weir_stream_meter_options, reserved, 108, 4);
SIZE(weir_stream_meter_options, 112);

FIELD(weir_usage, size, 0, 4);
FIELD(weir_usage, provenance, 4, 4);
FIELD(weir_usage, completion_tokens, 8, 8);
FIELD(weir_usage, counted_tokens, 16, 8);
FIELD(weir_usage, text_bytes, 24, 8);
FIELD(weir_usage, stated_prompt, 32, 8);
FIELD(weir_usage, stated_completion, 40, 8);
FIELD(weir_usage, stated_cached, 48, 8);
FIELD(weir_usage, stated_cache_write, 56, 8);
FIELD(weir_usage, stated_reasoning, 64, 8);
FIELD(weir_usage, stated_audio_prompt, 72, 8);
FIELD(weir_usage, stated_audio_completion, 80, 8);
FIELD(weir_usage, stated_accepted_prediction, 88, 8);
FIELD(weir_usage, stated_rejected_prediction, 96, 8);
FIELD(weir_usage, stated_total, 104, 8);
FIELD(weir_usage, is_complete, 112, 4);
FIELD(weir_usage, is_error, 116, 4);
FIELD(weir_usage, is_anomaly, 120, 4);
FIELD(weir_usage, unread, 124, 4);
SIZE(weir_usage, 128);

FIELD(weir_state_options, size, 0, 4);
FIELD(weir_state_options, replace, 4, 4);
FIELD(weir_state_options, bytes, 8, 8);
FIELD(weir_state_options, seed, 16, 8);
SIZE(weir_state_options, 24);

FIELD(weir_limit_rule, size, 0, 4);
FIELD(weir_limit_rule, algorithm, 4, 4);
FIELD(weir_limit_rule, name, 8, 8);
FIELD(weir_limit_rule, name_size, 16, 8);
FIELD(weir_limit_rule, amount, 24, 8);
FIELD(weir_limit_rule, window_ms, 32, 8);
FIELD(weir_limit_rule, burst, 40, 8);
FIELD(weir_limit_rule, period, 48, 4);
FIELD(weir_limit_rule, week_start, 52, 4);
FIELD(weir_limit_rule, time_zone, 56, 8);
FIELD(weir_limit_rule, time_zone_size, 64, 8);
FIELD(weir_limit_rule, lease_ms, 72, 8);
FIELD(weir_limit_rule, anchor_unix_ms, 80, 8);
FIELD(weir_limit_rule, is_anchored, 88, 4);
FIELD(weir_limit_rule, share, 92, 4);
FIELD(weir_limit_rule, share_floor, 96, 8);
SIZE(weir_limit_rule, 104);

FIELD(weir_limiter_options, size, 0, 4);
FIELD(weir_limiter_options, max_counters, 4, 4);
FIELD(weir_limiter_options, seed, 8, 8);
FIELD(weir_limiter_options, full_admits, 16, 4);
FIELD(weir_limiter_options, reserved, 20, 4);
SIZE(weir_limiter_options, 24);

FIELD(weir_ledger_options, size, 0, 4);
FIELD(weir_ledger_options, on_full, 4, 4);
FIELD(weir_ledger_options, rotate_bytes, 8, 8);
FIELD(weir_ledger_options, rotate_ms, 16, 8);
FIELD(weir_ledger_options, spool_bytes, 24, 8);
SIZE(weir_ledger_options, 32);

FIELD(weir_ledger_status, size, 0, 4);
FIELD(weir_ledger_status, last_error, 4, 4);
FIELD(weir_ledger_status, written_lines, 8, 8);
FIELD(weir_ledger_status, written_bytes, 16, 8);
FIELD(weir_ledger_status, spooled_lines, 24, 8);
FIELD(weir_ledger_status, spooled_bytes, 32, 8);
FIELD(weir_ledger_status, dropped_lines, 40, 8);
FIELD(weir_ledger_status, failed_writes, 48, 8);
FIELD(weir_ledger_status, rotations, 56, 8);
FIELD(weir_ledger_status, torn_tails, 64, 8);
SIZE(weir_ledger_status, 72);

FIELD(weir_cache_options, size, 0, 4);
FIELD(weir_cache_options, dimensions, 4, 4);
FIELD(weir_cache_options, max_entries, 8, 4);
FIELD(weir_cache_options, max_partitions, 12, 4);
FIELD(weir_cache_options, bytes, 16, 8);
FIELD(weir_cache_options, seed, 24, 8);
FIELD(weir_cache_options, value_bytes, 32, 4);
FIELD(weir_cache_options, partition_quota, 36, 4);
SIZE(weir_cache_options, 40);

FIELD(weir_cache_query, size, 0, 4);
FIELD(weir_cache_query, embedder_epoch, 4, 4);
FIELD(weir_cache_query, partition, 8, 8);
FIELD(weir_cache_query, partition_size, 16, 8);
FIELD(weir_cache_query, key, 24, 8);
FIELD(weir_cache_query, key_size, 32, 8);
FIELD(weir_cache_query, key_hi, 40, 8);
FIELD(weir_cache_query, key_lo, 48, 8);
FIELD(weir_cache_query, vector, 56, 8);
FIELD(weir_cache_query, vector_size, 64, 8);
FIELD(weir_cache_query, min_similarity, 72, 8);
FIELD(weir_cache_query, embedder_id, 80, 8);
FIELD(weir_cache_query, is_probe, 88, 4);
FIELD(weir_cache_query, is_tentative, 92, 4);
FIELD(weir_cache_query, exclude, 96, 32);
SIZE(weir_cache_query, 128);

FIELD(weir_cache_answer, size, 0, 4);
FIELD(weir_cache_answer, found, 4, 4);
FIELD(weir_cache_answer, miss, 8, 4);
FIELD(weir_cache_answer, unused, 12, 4);
FIELD(weir_cache_answer, similarity, 16, 8);
FIELD(weir_cache_answer, similarity_error, 24, 8);
FIELD(weir_cache_answer, entry, 32, 8);
FIELD(weir_cache_answer, age_ns, 40, 8);
SIZE(weir_cache_answer, 48);

FIELD(weir_cache_entry, size, 0, 4);
FIELD(weir_cache_entry, embedder_epoch, 4, 4);
FIELD(weir_cache_entry, partition, 8, 8);
FIELD(weir_cache_entry, partition_size, 16, 8);
FIELD(weir_cache_entry, key, 24, 8);
FIELD(weir_cache_entry, key_size, 32, 8);
FIELD(weir_cache_entry, key_hi, 40, 8);
FIELD(weir_cache_entry, key_lo, 48, 8);
FIELD(weir_cache_entry, vector, 56, 8);
FIELD(weir_cache_entry, vector_size, 64, 8);
FIELD(weir_cache_entry, embedder_id, 72, 8);
FIELD(weir_cache_entry, value, 80, 8);
FIELD(weir_cache_entry, value_size, 88, 8);
FIELD(weir_cache_entry, ttl_ns, 96, 8);
FIELD(weir_cache_entry, model, 104, 8);
FIELD(weir_cache_entry, scope, 112, 8);
FIELD(weir_cache_entry, worth, 120, 4);
FIELD(weir_cache_entry, reserved, 124, 4);
SIZE(weir_cache_entry, 128);

FIELD(weir_meaning_verdict, size, 0, 4);
FIELD(weir_meaning_verdict, allowed, 4, 4);
FIELD(weir_meaning_verdict, guard, 8, 4);
FIELD(weir_meaning_verdict, asked_size, 12, 4);
FIELD(weir_meaning_verdict, stored_size, 16, 4);
FIELD(weir_meaning_verdict, reserved, 20, 4);
FIELD(weir_meaning_verdict, asked, 24, 32);
FIELD(weir_meaning_verdict, stored, 56, 32);
SIZE(weir_meaning_verdict, 88);

FIELD(weir_limit_charge, size, 0, 4);
FIELD(weir_limit_charge, rule, 4, 4);
FIELD(weir_limit_charge, key, 8, 8);
FIELD(weir_limit_charge, key_size, 16, 8);
FIELD(weir_limit_charge, cost, 24, 8);
FIELD(weir_limit_charge, headroom, 32, 8);
FIELD(weir_limit_charge, learned, 40, 4);
FIELD(weir_limit_charge, weight, 44, 4);
FIELD(weir_limit_charge, model, 48, 8);
FIELD(weir_limit_charge, model_size, 56, 8);
FIELD(weir_limit_charge, amount, 64, 8);
FIELD(weir_limit_charge, has_amount, 72, 4);
FIELD(weir_limit_charge, reserved, 76, 4);
SIZE(weir_limit_charge, 80);

FIELD(weir_limit_verdict, size, 0, 4);
FIELD(weir_limit_verdict, rule, 4, 4);
FIELD(weir_limit_verdict, admitted, 8, 4);
FIELD(weir_limit_verdict, unused, 12, 4);
FIELD(weir_limit_verdict, used_before, 16, 8);
FIELD(weir_limit_verdict, reserved, 24, 8);
FIELD(weir_limit_verdict, amount, 32, 8);
FIELD(weir_limit_verdict, remaining, 40, 8);
FIELD(weir_limit_verdict, retry_after_ns, 48, 8);
FIELD(weir_limit_verdict, reset_ns, 56, 8);
SIZE(weir_limit_verdict, 64);

FIELD(weir_limit_decision, size, 0, 4);
FIELD(weir_limit_decision, admitted, 4, 4);
FIELD(weir_limit_decision, binding, 8, 4);
FIELD(weir_limit_decision, table_full, 12, 4);
FIELD(weir_limit_decision, retry_after_ns, 16, 8);
SIZE(weir_limit_decision, 24);

FIELD(weir_limit_actual, size, 0, 4);
FIELD(weir_limit_actual, unlearned, 4, 4);
FIELD(weir_limit_actual, cost, 8, 8);
FIELD(weir_limit_actual, headroom_used, 16, 8);
SIZE(weir_limit_actual, 24);

FIELD(weir_balance_member, size, 0, 4);
FIELD(weir_balance_member, priority, 4, 4);
FIELD(weir_balance_member, name, 8, 8);
FIELD(weir_balance_member, name_size, 16, 8);
FIELD(weir_balance_member, weight, 24, 4);
FIELD(weir_balance_member, reserved, 28, 4);
SIZE(weir_balance_member, 32);

FIELD(weir_balancer_options, size, 0, 4);
FIELD(weir_balancer_options, strategy, 4, 4);
FIELD(weir_balancer_options, seed, 8, 8);
FIELD(weir_balancer_options, id_seed, 16, 8);
FIELD(weir_balancer_options, hold_down_ms, 24, 8);
FIELD(weir_balancer_options, latency_decay_ms, 32, 8);
FIELD(weir_balancer_options, load_bound_percent, 40, 4);
FIELD(weir_balancer_options, load_floor, 44, 4);
SIZE(weir_balancer_options, 48);

FIELD(weir_balance_ask, size, 0, 4);
FIELD(weir_balance_ask, start, 4, 4);
FIELD(weir_balance_ask, key, 8, 8);
FIELD(weir_balance_ask, key_size, 16, 8);
FIELD(weir_balance_ask, refused, 24, 8);
FIELD(weir_balance_ask, refused_count, 32, 8);
FIELD(weir_balance_ask, has_prefer, 40, 4);
FIELD(weir_balance_ask, prefer, 44, 4);
FIELD(weir_balance_ask, sticky, 48, 4);
FIELD(weir_balance_ask, reserved, 52, 4);
SIZE(weir_balance_ask, 56);

VALUE(WEIR_BALANCE_WEIGHTED, 1);
VALUE(WEIR_BALANCE_ROUND_ROBIN, 2);
VALUE(WEIR_BALANCE_LEAST_BUSY, 3);
VALUE(WEIR_BALANCE_LEAST_LATENCY, 4);
VALUE(WEIR_BALANCE_P2C, 5);
VALUE(WEIR_BALANCE_HASH, 6);
VALUE(WEIR_REST_TRIPPED, 1);
VALUE(WEIR_REST_OUT_OF_CAPACITY, 2);
VALUE(WEIR_REST_THROTTLED, 3);

FIELD(weir_status_range, first, 0, 2);
FIELD(weir_status_range, last, 2, 2);
SIZE(weir_status_range, 4);

FIELD(weir_breaker_rule, size, 0, 4);
FIELD(weir_breaker_rule, failures, 4, 4);
FIELD(weir_breaker_rule, name, 8, 8);
FIELD(weir_breaker_rule, name_size, 16, 8);
FIELD(weir_breaker_rule, statuses, 24, 8);
FIELD(weir_breaker_rule, status_count, 32, 8);
FIELD(weir_breaker_rule, count, 40, 4);
FIELD(weir_breaker_rule, percentage, 44, 4);
FIELD(weir_breaker_rule, min_samples, 48, 4);
FIELD(weir_breaker_rule, trip_growth_percent, 52, 4);
FIELD(weir_breaker_rule, interval_ms, 56, 8);
FIELD(weir_breaker_rule, trip_ms, 64, 8);
FIELD(weir_breaker_rule, trip_max_ms, 72, 8);
FIELD(weir_breaker_rule, ignore_retry_after, 80, 4);
FIELD(weir_breaker_rule, reserved, 84, 4);
SIZE(weir_breaker_rule, 88);

FIELD(weir_breaker_rule_set, size, 0, 4);
FIELD(weir_breaker_rule_set, probes, 4, 4);
FIELD(weir_breaker_rule_set, rules, 8, 8);
FIELD(weir_breaker_rule_set, rule_count, 16, 8);
FIELD(weir_breaker_rule_set, successes_to_close, 24, 4);
FIELD(weir_breaker_rule_set, reserved, 28, 4);
FIELD(weir_breaker_rule_set, probe_timeout_ms, 32, 8);
FIELD(weir_breaker_rule_set, retry_after_min_ms, 40, 8);
FIELD(weir_breaker_rule_set, retry_after_max_ms, 48, 8);
FIELD(weir_breaker_rule_set, forget_trips_ms, 56, 8);
SIZE(weir_breaker_rule_set, 64);

FIELD(weir_breaker_options, size, 0, 4);
FIELD(weir_breaker_options, max_circuits, 4, 4);
FIELD(weir_breaker_options, seed, 8, 8);
SIZE(weir_breaker_options, 16);

FIELD(weir_circuit, size, 0, 4);
FIELD(weir_circuit, unused, 4, 4);
FIELD(weir_circuit, opaque, 8, 48);
SIZE(weir_circuit, 56);

FIELD(weir_permit, size, 0, 4);
FIELD(weir_permit, allowed, 4, 4);
FIELD(weir_permit, is_probe, 8, 4);
FIELD(weir_permit, state, 12, 4);
FIELD(weir_permit, retry_at_mono_ns, 16, 8);
FIELD(weir_permit, opaque, 24, 48);
SIZE(weir_permit, 72);

FIELD(weir_outcome, size, 0, 4);
FIELD(weir_outcome, status, 4, 4);
FIELD(weir_outcome, failure, 8, 4);
FIELD(weir_outcome, has_asked, 12, 4);
FIELD(weir_outcome, retry_after_ns, 16, 8);
SIZE(weir_outcome, 24);

FIELD(weir_breaker_report, size, 0, 4);
FIELD(weir_breaker_report, tripped, 4, 4);
FIELD(weir_breaker_report, reset, 8, 4);
FIELD(weir_breaker_report, rule, 12, 4);
FIELD(weir_breaker_report, open_until_mono_ns, 16, 8);
SIZE(weir_breaker_report, 24);

FIELD(weir_retry_headers, size, 0, 4);
FIELD(weir_retry_headers, unused, 4, 4);
FIELD(weir_retry_headers, retry_after, 8, 8);
FIELD(weir_retry_headers, retry_after_size, 16, 8);
FIELD(weir_retry_headers, retry_after_ms, 24, 8);
FIELD(weir_retry_headers, retry_after_ms_size, 32, 8);
FIELD(weir_retry_headers, x_ms_retry_after_ms, 40, 8);
FIELD(weir_retry_headers, x_ms_retry_after_ms_size, 48, 8);
FIELD(weir_retry_headers, remaining_requests, 56, 8);
FIELD(weir_retry_headers, remaining_requests_size, 64, 8);
FIELD(weir_retry_headers, reset_requests, 72, 8);
FIELD(weir_retry_headers, reset_requests_size, 80, 8);
FIELD(weir_retry_headers, remaining_tokens, 88, 8);
FIELD(weir_retry_headers, remaining_tokens_size, 96, 8);
FIELD(weir_retry_headers, reset_tokens, 104, 8);
FIELD(weir_retry_headers, reset_tokens_size, 112, 8);
SIZE(weir_retry_headers, 120);

/* The canonical codes of Abseil and gRPC. */
VALUE(WEIR_OK, 0);
VALUE(WEIR_INVALID_ARGUMENT, 3);
VALUE(WEIR_NOT_FOUND, 5);
VALUE(WEIR_PERMISSION_DENIED, 7);
VALUE(WEIR_RESOURCE_EXHAUSTED, 8);
VALUE(WEIR_FAILED_PRECONDITION, 9);
VALUE(WEIR_OUT_OF_RANGE, 11);
VALUE(WEIR_UNIMPLEMENTED, 12);
VALUE(WEIR_INTERNAL, 13);

VALUE(WEIR_SECRET_ENV, 1);
VALUE(WEIR_SECRET_FILE, 2);

VALUE(WEIR_BREAKER_ON_CONNECT, 1);
VALUE(WEIR_BREAKER_ON_TIMEOUT, 2);
VALUE(WEIR_BREAKER_ON_RESET, 4);
VALUE(WEIR_BREAKER_ON_STREAM_ERROR, 8);

VALUE(WEIR_BREAKER_CLOSED, 0);
VALUE(WEIR_BREAKER_OPEN, 1);
VALUE(WEIR_BREAKER_HALF_OPEN, 2);

VALUE(WEIR_OUTCOME_ANSWERED, 0);
VALUE(WEIR_OUTCOME_CONNECT, 1);
VALUE(WEIR_OUTCOME_TIMEOUT, 2);
VALUE(WEIR_OUTCOME_RESET, 3);
VALUE(WEIR_OUTCOME_STREAM_ERROR, 4);
VALUE(WEIR_OUTCOME_TRUNCATED, 5);

VALUE(WEIR_ACTION_CONTINUE, 1);
VALUE(WEIR_ACTION_FORWARD, 2);
VALUE(WEIR_ACTION_REPLY, 3);
VALUE(WEIR_ACTION_CALL, 4);
VALUE(WEIR_ACTION_WAIT, 5);
VALUE(WEIR_ACTION_FINISH, 6);
VALUE(WEIR_ACTION_DONE, 7);

VALUE(WEIR_RELAY_NOTHING, 0);
VALUE(WEIR_RELAY_INPUT, 1);
VALUE(WEIR_RELAY_VIEW, 2);

VALUE(WEIR_FAILURE_CONNECT, 1);
VALUE(WEIR_FAILURE_TIMEOUT, 2);
VALUE(WEIR_FAILURE_RESET, 3);

VALUE(WEIR_HEADER_SET, 1);
VALUE(WEIR_HEADER_REMOVE, 2);
VALUE(WEIR_HEADER_ADD, 3);

VALUE(WEIR_DIALECT_OPENAI, 1);
VALUE(WEIR_DIALECT_AZURE_OPENAI, 2);
VALUE(WEIR_DIALECT_ANTHROPIC, 3);
VALUE(WEIR_DIALECT_GEMINI, 4);
VALUE(WEIR_DIALECT_BEDROCK, 5);

VALUE(WEIR_OPERATION_CHAT, 1);
VALUE(WEIR_OPERATION_RESPONSES, 2);
VALUE(WEIR_OPERATION_COMPLETIONS, 3);
VALUE(WEIR_OPERATION_EMBEDDINGS, 4);

VALUE(WEIR_PROVENANCE_EXACT, 1);
VALUE(WEIR_PROVENANCE_PROVIDER, 2);
VALUE(WEIR_PROVENANCE_UPPER_BOUND, 3);
VALUE(WEIR_PROVENANCE_ESTIMATED, 4);

VALUE(WEIR_UNREAD_NOTHING, 0);
VALUE(WEIR_UNREAD_UNKNOWN_ENCODING, 1);
VALUE(WEIR_UNREAD_CORRUPT_ENCODING, 2);
VALUE(WEIR_UNREAD_TOO_LARGE, 3);

VALUE(WEIR_LIMIT_SLIDING_WINDOW, 1);
VALUE(WEIR_LIMIT_TOKEN_BUCKET, 2);
VALUE(WEIR_LIMIT_FIXED_WINDOW, 3);
VALUE(WEIR_LIMIT_CALENDAR, 4);
VALUE(WEIR_LIMIT_CONCURRENCY, 5);

VALUE(WEIR_PERIOD_HOUR, 1);
VALUE(WEIR_PERIOD_DAY, 2);
VALUE(WEIR_PERIOD_WEEK, 3);
VALUE(WEIR_PERIOD_MONTH, 4);
VALUE(WEIR_PERIOD_QUARTER, 5);
VALUE(WEIR_PERIOD_YEAR, 6);
VALUE(WEIR_PERIOD_LIFETIME, 7);

VALUE(WEIR_LEASE_PERIOD, -1);
VALUE(WEIR_NEVER, INT64_MAX);

VALUE(WEIR_CACHE_MISS, 0);
VALUE(WEIR_CACHE_EXACT, 1);
VALUE(WEIR_CACHE_SEMANTIC, 2);

VALUE(WEIR_MISS_NONE, 0);
VALUE(WEIR_MISS_NO_VECTOR, 1);
VALUE(WEIR_MISS_EMPTY_PARTITION, 2);
VALUE(WEIR_MISS_BELOW_THRESHOLD, 3);
VALUE(WEIR_MISS_EXPIRED, 4);
VALUE(WEIR_MISS_OTHER_EMBEDDER, 5);
VALUE(WEIR_MISS_WRONG_DIMENSION, 6);
VALUE(WEIR_MISS_BAD_VECTOR, 7);
VALUE(WEIR_MISS_RACED, 8);

VALUE(WEIR_PURGE_ALL, 0);
VALUE(WEIR_PURGE_PARTITION, 1);
VALUE(WEIR_PURGE_MODEL, 2);
VALUE(WEIR_PURGE_SCOPE, 3);

VALUE(WEIR_GUARD_NUMBERS, 0);
VALUE(WEIR_GUARD_DATES, 1);
VALUE(WEIR_GUARD_NEGATION, 2);
VALUE(WEIR_GUARD_OPPOSITES, 3);
VALUE(WEIR_GUARD_ORDER, 4);
VALUE(WEIR_GUARD_QUESTION, 5);
VALUE(WEIR_GUARD_QUOTES, 6);
VALUE(WEIR_GUARD_CODE, 7);
VALUE(WEIR_GUARD_NAMES, 8);
VALUE(WEIR_GUARD_LANGUAGE, 9);
VALUE(WEIR_GUARD_WORDS, 10);
VALUE(WEIR_GUARD_LENGTH, 11);

VALUE(WEIR_GUARDS_ALL, 4095);

/* What a program was compiled against is what it runs with. */
int main(void) {
  const uint32_t compiled =
      WEIR_VERSION_MAJOR * 1000000u + WEIR_VERSION_MINOR * 1000u + WEIR_VERSION_PATCH;
  return weir_version_number() == compiled ? 0 : 1;
}
