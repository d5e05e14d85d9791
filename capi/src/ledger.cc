// weir_ledger_*: files of lines, one for each exchange.

#include "weir/ledger.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/types/span.h"
#include "base/saturating.h"
#include "handles.h"

struct weir_ledger {
  std::unique_ptr<weir::ledger::File> file;
};

namespace {

using weir::capi::At;
using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::ReadPath;
using weir::capi::ReadSized;
using weir::capi::View;
using weir::capi::WriteSized;
using weir::ledger::Exchange;
using weir::ledger::File;
using weir::ledger::kMaxLineBytes;

static_assert(kMaxLineBytes == WEIR_LEDGER_LINE_BYTES);
static_assert(static_cast<int>(weir::ledger::OtlpKind::kSpans) == WEIR_OTLP_SPANS);
static_assert(static_cast<int>(weir::ledger::OtlpKind::kLogRecords) == WEIR_OTLP_LOG_RECORDS);
static_assert(static_cast<int>(weir::ledger::Appended::kWritten) + 1 == WEIR_LEDGER_WRITTEN);
static_assert(static_cast<int>(weir::ledger::Appended::kSpooled) + 1 == WEIR_LEDGER_SPOOLED);
static_assert(static_cast<int>(weir::ledger::Appended::kDropped) + 1 == WEIR_LEDGER_DROPPED);

weir_status Translate(const weir_ledger_options& read, weir::ledger::FileOptions* options,
                      weir_error* error) {
  if (read.on_full != WEIR_LEDGER_DROP_AND_COUNT && read.on_full != WEIR_LEDGER_REFUSE) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "on_full is no answer to a full disk");
  }
  options->on_full = read.on_full == WEIR_LEDGER_REFUSE ? weir::ledger::OnFull::kRefuse
                                                        : weir::ledger::OnFull::kDropAndCount;
  options->rotate_bytes = read.rotate_bytes;
  options->rotate_every_ns = weir::SaturatingMul(read.rotate_ms, weir::kMillisecond);
  if (read.spool_bytes != 0) options->spool_bytes = read.spool_bytes;
  return WEIR_OK;
}

weir_status Append(weir_ledger* ledger, std::string_view line, const weir_now& now,
                   int32_t* outcome, weir_error* error) {
  const auto appended = ledger->file->Append(line, At(now));
  if (!appended.ok()) return Fail(error, appended.status());
  *outcome = static_cast<int32_t>(*appended) + 1;
  return WEIR_OK;
}

}  // namespace

weir_status weir_ledger_open(const char* path, size_t path_size, const weir_ledger_options* options,
                             const weir_now* now, weir_ledger** ledger, weir_error* error) {
  if (!IsText(path, path_size) || now == nullptr || ledger == nullptr) return NullArgument(error);
  weir_ledger_options read;
  if (const weir_status status = ReadSized(options, &read, error); status != WEIR_OK) return status;
  return Guard(error, [&]() -> weir_status {
    std::string name;
    weir::ledger::FileOptions chosen;
    weir_status status = ReadPath(path, path_size, &name, error);
    if (status == WEIR_OK) status = Translate(read, &chosen, error);
    if (status != WEIR_OK) return status;
    auto handle = std::make_unique<weir_ledger>();
    auto opened = File::Open(name, chosen, At(*now));
    if (!opened.ok()) return Fail(error, opened.status());
    handle->file = *std::move(opened);
    *ledger = handle.release();
    return WEIR_OK;
  });
}

weir_status weir_ledger_append(weir_ledger* ledger, weir_txn* txn, const weir_now* now,
                               int32_t* outcome, weir_error* error) {
  if (ledger == nullptr || txn == nullptr || now == nullptr || outcome == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    if (txn->line_taken) {
      return Fail(error, WEIR_FAILED_PRECONDITION, "the transaction's line was taken");
    }
    char line[kMaxLineBytes];
    const auto size = txn->txn->LedgerLine(absl::MakeSpan(line));
    if (!size.ok()) return Fail(error, size.status());
    txn->line_taken = true;
    return Append(ledger, {line, *size}, *now, outcome, error);
  });
}

weir_status weir_ledger_append_line(weir_ledger* ledger, const char* line, size_t line_size,
                                    const weir_now* now, int32_t* outcome, weir_error* error) {
  if (ledger == nullptr || !IsText(line, line_size) || now == nullptr || outcome == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&] { return Append(ledger, View(line, line_size), *now, outcome, error); });
}

weir_status weir_ledger_accepts(weir_ledger* ledger, const weir_now* now, int32_t* accepts,
                                weir_error* error) {
  if (ledger == nullptr || now == nullptr || accepts == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    *accepts = ledger->file->Accepts(At(*now)) ? 1 : 0;
    return WEIR_OK;
  });
}

weir_status weir_ledger_flush(weir_ledger* ledger, int32_t sync, const weir_now* now,
                              weir_error* error) {
  if (ledger == nullptr || now == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    const absl::Status flushed =
        sync != 0 ? ledger->file->Sync(At(*now)) : ledger->file->Flush(At(*now));
    return flushed.ok() ? WEIR_OK : Fail(error, flushed);
  });
}

weir_status weir_ledger_read_status(weir_ledger* ledger, weir_ledger_status* status) {
  if (ledger == nullptr || status == nullptr) return WEIR_INVALID_ARGUMENT;
  return Guard(nullptr, [&]() -> weir_status {
    const weir::ledger::FileStatus read = ledger->file->status();
    weir_ledger_status full = {};
    full.last_error = read.last_error;
    full.written_lines = read.written_lines;
    full.written_bytes = read.written_bytes;
    full.spooled_lines = read.spooled_lines;
    full.spooled_bytes = read.spooled_bytes;
    full.dropped_lines = read.dropped_lines;
    full.failed_writes = read.failed_writes;
    full.rotations = read.rotations;
    full.torn_tails = read.torn_tails;
    WriteSized(full, status);
    return WEIR_OK;
  });
}

void weir_ledger_free(weir_ledger* ledger) { delete ledger; }

weir_status weir_txn_ledger_line(weir_txn* txn, char* buffer, size_t capacity, size_t* needed,
                                 weir_error* error) {
  if (txn == nullptr || !IsText(buffer, capacity) || needed == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    char line[kMaxLineBytes];
    const auto size = txn->txn->LedgerLine(absl::MakeSpan(line));
    if (!size.ok()) return Fail(error, size.status());
    return CopyOut({line, *size}, buffer, capacity, needed, error);
  });
}

weir_status weir_ledger_recompute(const char* line, size_t line_size, int32_t* verdict,
                                  uint64_t* micro_usd, weir_error* error) {
  if (!IsText(line, line_size) || verdict == nullptr || micro_usd == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    weir::ledger::LineReader reader;
    Exchange exchange;
    if (!reader.Read(View(line, line_size), &exchange)) {
      return Fail(error, WEIR_INVALID_ARGUMENT, "not a line of a ledger");
    }
    const auto stated = exchange.cost ? exchange.cost->micro_usd : std::nullopt;
    std::optional<uint64_t> due;
    if (exchange.cost && exchange.cost->price && exchange.usage) {
      due = weir::ledger::CostOf(*exchange.cost->price, *exchange.usage);
    }
    *micro_usd = due.value_or(0);
    *verdict = !stated && !due ? WEIR_LEDGER_COST_UNKNOWN
               : stated == due ? WEIR_LEDGER_COST_AGREES
                               : WEIR_LEDGER_COST_DIFFERS;
    return WEIR_OK;
  });
}

weir_status weir_ledger_otlp(uint32_t kind, const char* service_name, size_t service_name_size,
                             const char* lines, size_t lines_size, uint64_t* poison, char* buffer,
                             size_t capacity, size_t* needed, weir_error* error) {
  if (!IsText(service_name, service_name_size) || !IsText(lines, lines_size) || poison == nullptr ||
      !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  if (kind != WEIR_OTLP_SPANS && kind != WEIR_OTLP_LOG_RECORDS) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "lines are made into spans or log records");
  }
  return Guard(error, [&]() -> weir_status {
    const std::pair<std::string_view, std::string_view> service[] = {
        {"service.name", View(service_name, service_name_size)}};
    weir::ledger::ReadCounts counts;
    const std::string made = weir::ledger::OtlpJson(static_cast<weir::ledger::OtlpKind>(kind),
                                                    View(lines, lines_size), service, &counts);
    *poison = counts.poison;
    return CopyOut(made, buffer, capacity, needed, error);
  });
}
