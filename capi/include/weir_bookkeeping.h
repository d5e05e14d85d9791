/* weir_bookkeeping.h: ledger files, which invoices are made from: one JSON line for each exchange.
 *
 * A part of weir.h; include that. What a line says is in weir/ledger.h, and `weir report` makes
 * tables and pages of files of them. No prompt, no answer and no credential is in a line.
 *
 *   weir_ledger_open(path, path_size, NULL, &now, &ledger, &error);
 *   ... weir_txn_next says REPLY, FINISH or DONE, or weir_txn_client_left was called ...
 *   weir_ledger_append(ledger, txn, &now, &outcome, &error);
 *   weir_txn_free(txn);
 *
 * Any number of processes of one machine append to one file, each with a weir_ledger of its own:
 * one write a line, no lock between them. A line of which WEIR_LEDGER_WRITTEN was said is in the
 * file exactly once, whoever is killed when. A disk that is full or fails sends lines to a spool in
 * memory, from where later calls take them. A file that is renamed from outside is made anew within
 * a second. Where a limit on file sizes is set the host has to ignore SIGXFSZ.
 */

#ifndef WEIR_BOOKKEEPING_H_
#define WEIR_BOOKKEEPING_H_

#ifdef __cplusplus
extern "C" {
#endif

/* A buffer of so many bytes has room for any line. */
#define WEIR_LEDGER_LINE_BYTES 32768

typedef struct weir_ledger weir_ledger;

/* What is done with a line that neither the disk nor the spool takes. */
enum {
  WEIR_LEDGER_DROP_AND_COUNT = 0,
  WEIR_LEDGER_REFUSE = 1 /* weir_ledger_accepts turns 0 while there is room for what is under way */
};

typedef struct weir_ledger_options {
  uint32_t size;         /* sizeof(weir_ledger_options) */
  int32_t on_full;       /* WEIR_LEDGER_DROP_AND_COUNT or WEIR_LEDGER_REFUSE */
  uint64_t rotate_bytes; /* a file of so many is renamed to FILE.<time>; 0 = never */
  int64_t rotate_ms;     /* and at each multiple of this since 1970, 86400000: midnight, UTC */
  uint64_t spool_bytes;  /* 0 = 4 MiB; at least 32 KiB */
} weir_ledger_options;

/* Opens a ledger file, and makes it if need be; `options` may be null. NOT_FOUND,
 * PERMISSION_DENIED, RESOURCE_EXHAUSTED as the system says; FAILED_PRECONDITION: it is no regular
 * file; INVALID_ARGUMENT: an option out of its range.
 * Lifetime: free with weir_ledger_free. Threads: any, as with all of a weir_ledger's functions. */
WEIR_API weir_status weir_ledger_open(const char* path, size_t path_size,
                                      const weir_ledger_options* options, const weir_now* now,
                                      weir_ledger** ledger, weir_error* error);

/* What became of a line. */
enum {
  WEIR_LEDGER_WRITTEN = 1, /* the system has it: it survives this process */
  WEIR_LEDGER_SPOOLED = 2, /* this process has it, and tries again */
  WEIR_LEDGER_DROPPED = 3
};

/* Appends the line of a transaction that has ended. Once: of a transaction whose line was taken,
 * whatever became of it, and of one that has not ended, FAILED_PRECONDITION. RESOURCE_EXHAUSTED,
 * with WEIR_LEDGER_REFUSE: neither disk nor spool takes it. */
WEIR_API weir_status weir_ledger_append(weir_ledger* ledger, weir_txn* txn, const weir_now* now,
                                        int32_t* outcome, weir_error* error);

/* Appends a line that weir_txn_ledger_line gave, as it is. */
WEIR_API weir_status weir_ledger_append_line(weir_ledger* ledger, const char* line,
                                             size_t line_size, const weir_now* now,
                                             int32_t* outcome, weir_error* error);

/* *accepts is 0 when requests had better be refused, for their lines might find no room; always 1
 * with WEIR_LEDGER_DROP_AND_COUNT. Tries the spool. */
WEIR_API weir_status weir_ledger_accepts(weir_ledger* ledger, const weir_now* now, int32_t* accepts,
                                         weir_error* error);

/* Writes the spool, and (sync = 1) waits until the disk has everything. When the disk fails at
 * that, the file is renamed and a new one is made, and INTERNAL is the answer. */
WEIR_API weir_status weir_ledger_flush(weir_ledger* ledger, int32_t sync, const weir_now* now,
                                       weir_error* error);

typedef struct weir_ledger_status {
  uint32_t size;      /* in: sizeof(weir_ledger_status) */
  int32_t last_error; /* errno of the last failed write */
  uint64_t written_lines, written_bytes;
  uint64_t spooled_lines, spooled_bytes; /* now */
  uint64_t dropped_lines;
  uint64_t failed_writes;
  uint64_t rotations;
  uint64_t torn_tails; /* ends that somebody else left without a line feed */
} weir_ledger_status;

/* What this process did. */
WEIR_API weir_status weir_ledger_read_status(weir_ledger* ledger, weir_ledger_status* status);

/* Tries the spool once more; what it leaves is lost. */
WEIR_API void weir_ledger_free(weir_ledger* ledger);

/* The line of a transaction that has ended, line feed included, for hosts that keep lines
 * elsewhere: the same, of the same id, whenever it is asked for. FAILED_PRECONDITION before the
 * end.
 */
WEIR_API weir_status weir_txn_ledger_line(weir_txn* txn, char* buffer, size_t capacity,
                                          size_t* needed, weir_error* error);

/* How a line's cost stands to what its own usage and price row come to. */
enum {
  WEIR_LEDGER_COST_AGREES = 1,
  WEIR_LEDGER_COST_DIFFERS = 2, /* *micro_usd is what it ought to be */
  WEIR_LEDGER_COST_UNKNOWN = 3  /* no cost is stated, and none can be worked out */
};

/* Works a line's cost out again. INVALID_ARGUMENT: it is no line of a ledger. Threads: any. */
WEIR_API weir_status weir_ledger_recompute(const char* line, size_t line_size, int32_t* verdict,
                                           uint64_t* micro_usd, weir_error* error);

/* What a batch of lines is made into. */
enum {
  WEIR_OTLP_SPANS = 1,      /* for /v1/traces of an OpenTelemetry collector */
  WEIR_OTLP_LOG_RECORDS = 2 /* for /v1/logs */
};

/* OTLP/HTTP JSON of lines, one span or log record each, by OpenTelemetry's GenAI conventions
 * (weir/ledger.h: OtlpJson). No bytes: there is nothing to send. *poison counts what was no line of
 * a ledger and was passed over. `service_name` is the resource's service.name; empty: none.
 * INVALID_ARGUMENT: an unknown `kind`. Threads: any. */
WEIR_API weir_status weir_ledger_otlp(uint32_t kind, const char* service_name,
                                      size_t service_name_size, const char* lines,
                                      size_t lines_size, uint64_t* poison, char* buffer,
                                      size_t capacity, size_t* needed, weir_error* error);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WEIR_BOOKKEEPING_H_ */
