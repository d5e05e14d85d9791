/* Plays transcripts over the C interface. */

#include "host.h"

int main(int argc, char** argv) {
  static const host_api api = {
      .policy_parse = weir_policy_parse,
      .policy_secret_count = weir_policy_secret_count,
      .policy_secret = weir_policy_secret,
      .policy_set_secret = weir_policy_set_secret,
      .policy_free = weir_policy_free,
      .engine_new = weir_engine_new,
      .engine_reload = weir_engine_reload,
      .engine_metrics = weir_engine_metrics,
      .engine_status = weir_engine_status,
      .engine_free = weir_engine_free,
      .txn_new = weir_txn_new,
      .request_head = weir_txn_request_head,
      .request_header = weir_txn_request_header,
      .attribute = weir_txn_attribute,
      .request_body = weir_txn_request_body,
      .request_end = weir_txn_request_end,
      .response_head = weir_txn_response_head,
      .response_header = weir_txn_response_header,
      .response_body = weir_txn_response_body,
      .response_end = weir_txn_response_end,
      .response_failed = weir_txn_response_failed,
      .call_result = weir_txn_call_result,
      .next = weir_txn_next,
      .url = weir_txn_url,
      .target = weir_txn_target,
      .body = weir_txn_body,
      .header = weir_txn_header,
      .explain = weir_txn_explain,
      .txn_free = weir_txn_free,
  };
  return transcript_main(&api, argc, argv);
}
