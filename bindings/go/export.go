package weir

// #include "crossing.h"
import "C"

// ExportFormat is in what form metrics are sent.
type ExportFormat uint32

// The formats.
const (
	// OTLP/HTTP JSON: all since counting began.
	ExportOTLPCumulative ExportFormat = C.WEIR_EXPORT_OTLP_CUMULATIVE
	// OTLP/HTTP JSON: what came since the last batch that arrived.
	ExportOTLPDelta ExportFormat = C.WEIR_EXPORT_OTLP_DELTA
	// Application Insights' track, an envelope a line; deltas.
	ExportTrack ExportFormat = C.WEIR_EXPORT_TRACK
)

// ExportOptions say what ExportMetrics gives.
type ExportOptions struct {
	Format             ExportFormat
	ServiceName        string // OTLP: the resource's service.name; empty: none
	InstrumentationKey string // ExportTrack: iKey
	MetricNamespace    string // ExportTrack; empty: "API Management"
}

// ExportMetrics gives a batch of metrics to send, and its number; an empty one: nothing is to be
// sent. Of deltas, the same batch comes again, in whichever process asks, until AcknowledgeMetrics
// says that it arrived. Number 0: there is nothing to acknowledge.
func (e *Engine) ExportMetrics(options *ExportOptions) (number uint64, batch []byte, err error) {
	p := newPacker()
	defer p.free()
	given := C.weir_export_options{
		size:   C.sizeof_weir_export_options,
		format: C.uint32_t(options.Format),
	}
	given.service_name_size = p.raw(options.ServiceName)
	given.instrumentation_key_size = p.raw(options.InstrumentationKey)
	given.metric_namespace_size = p.raw(options.MetricNamespace)
	texts := p.pointer()
	mono, unix := e.clock.read()
	var told C.uint64_t
	batch, err = readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, r *C.weir_error) C.weir_status {
			return C.weir_go_export_metrics(e.c, &given, texts, mono, unix, &told, b, capacity,
				needed, r)
		})
	return uint64(told), batch, err
}

// AcknowledgeMetrics tells that a batch arrived. ErrFailedPrecondition: it is not under way.
func (e *Engine) AcknowledgeMetrics(format ExportFormat, number uint64) error {
	return try(func(r *C.weir_error) C.weir_status {
		return C.weir_engine_acknowledge_metrics(e.c, C.uint32_t(format), C.uint64_t(number), r)
	})
}
