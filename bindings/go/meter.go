package weir

// #include "crossing.h"
import "C"

import (
	"errors"
	"io"
)

// StreamMeterOptions; the zero value: an event stream of OpenAI's chat.
type StreamMeterOptions struct {
	Dialect         Dialect    // 0 = OpenAI
	Operation       Operation  // 0 = Chat
	ContentType     string     // the answer's header; empty: text/event-stream
	ContentEncoding string     // "gzip", "deflate", "br", "zstd"; empty: none
	Tokenizer       *Tokenizer // nil: a token for each three bytes
	IsStandin       bool       // Tokenizer is not the model's own; the count is an estimate
	StripUsage      bool       // leave the events out that only state a usage
	// What is billed beside the texts depends on these; without a model nothing is added to them.
	Model             string
	DeclaresFunctions bool
	// Bounds; 0 = as weir_counting.h says.
	MaxDecodedRatio uint32
	MaxEventBytes   uint64
	MaxBodyBytes    uint64
	MaxDecodedBytes uint64
}

// Unread is why (the rest of) a body was not read.
type Unread int32

// The reasons.
const (
	UnreadNothing         Unread = C.WEIR_UNREAD_NOTHING
	UnreadUnknownEncoding Unread = C.WEIR_UNREAD_UNKNOWN_ENCODING
	UnreadCorruptEncoding Unread = C.WEIR_UNREAD_CORRUPT_ENCODING
	UnreadTooLarge        Unread = C.WEIR_UNREAD_TOO_LARGE
)

// Usage is what an answer comes to. The stated numbers are the provider's, -1 where it states none.
type Usage struct {
	Provenance       Provenance // of CompletionTokens
	CompletionTokens int        // stated, or counted
	CountedTokens    int        // of the text that was seen, whatever is stated
	TextBytes        int

	StatedPrompt             int
	StatedCompletion         int
	StatedCached             int // of the prompt, read from a cache
	StatedCacheWrite         int // of the prompt, written to a cache
	StatedReasoning          int // of the completion
	StatedAudioPrompt        int
	StatedAudioCompletion    int
	StatedAcceptedPrediction int
	StatedRejectedPrediction int
	StatedTotal              int

	IsComplete bool // the body's own last word came
	IsError    bool // the body tells of an error
	IsAnomaly  bool // something was stated that cannot be
	Unread     Unread
}

// StreamMeter tells what an answer comes to as it passes.
type StreamMeter struct {
	c      *C.weir_stream_meter
	g      *guard
	strips bool
}

// NewStreamMeter makes one; a loaded tokenizer must outlive it. Options may be nil.
func NewStreamMeter(options *StreamMeterOptions) (*StreamMeter, error) {
	if options == nil {
		options = &StreamMeterOptions{}
	}
	p := newPacker()
	defer p.free()
	given := C.weir_stream_meter_options{
		size:                  C.sizeof_weir_stream_meter_options,
		dialect:               C.int32_t(options.Dialect),
		operation:             C.int32_t(options.Operation),
		strip_usage:           boolInt(options.StripUsage),
		is_standin:            boolInt(options.IsStandin),
		max_decoded_ratio:     C.uint32_t(options.MaxDecodedRatio),
		max_event_bytes:       C.uint64_t(options.MaxEventBytes),
		max_body_bytes:        C.uint64_t(options.MaxBodyBytes),
		max_decoded_bytes:     C.uint64_t(options.MaxDecodedBytes),
		content_type_size:     p.raw(options.ContentType),
		content_encoding_size: p.raw(options.ContentEncoding),
		model_size:            p.raw(options.Model),
		tokenizer:             options.Tokenizer.handle(),
		declares_functions:    boolInt(options.DeclaresFunctions),
	}
	m := &StreamMeter{strips: options.StripUsage}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_go_stream_meter_new(&given, p.pointer(), &m.c, e)
	})
	if err != nil {
		return nil, err
	}
	m.g = watch("StreamMeter")
	return m, nil
}

// Feed takes a piece of the answer's body, as it came, and gives the bytes to pass on: the piece
// itself, or with StripUsage a view that is good until the next call.
func (m *StreamMeter) Feed(piece []byte) ([]byte, error) {
	bytes, size := bytesOf(piece)
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_stream_meter_feed(m.c, bytes, size, e)
	})
	return m.relay(piece), err
}

// End tells that the body is complete, and gives the last bytes to pass on, as Feed does.
func (m *StreamMeter) End() ([]byte, error) {
	err := try(func(e *C.weir_error) C.weir_status { return C.weir_stream_meter_end(m.c, e) })
	return m.relay(nil), err
}

func (m *StreamMeter) relay(fed []byte) []byte {
	if !m.strips {
		return fed
	}
	var view C.weir_go_text
	C.weir_stream_meter_relay(m.c, &view.bytes, &view.size)
	return viewOf(view.bytes, view.size)
}

// ClientLeft tells that the client, or the provider, is gone: what passed is what is counted.
func (m *StreamMeter) ClientLeft() error {
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_stream_meter_client_left(m.c, e)
	})
}

// Usage is what the answer comes to so far; at any time. Not for every piece.
func (m *StreamMeter) Usage() (Usage, error) {
	u := C.weir_usage{size: C.sizeof_weir_usage}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_stream_meter_usage(m.c, &u, e)
	})
	if err != nil {
		return Usage{}, err
	}
	return Usage{
		Provenance:               Provenance(u.provenance),
		CompletionTokens:         int(u.completion_tokens),
		CountedTokens:            int(u.counted_tokens),
		TextBytes:                int(u.text_bytes),
		StatedPrompt:             int(u.stated_prompt),
		StatedCompletion:         int(u.stated_completion),
		StatedCached:             int(u.stated_cached),
		StatedCacheWrite:         int(u.stated_cache_write),
		StatedReasoning:          int(u.stated_reasoning),
		StatedAudioPrompt:        int(u.stated_audio_prompt),
		StatedAudioCompletion:    int(u.stated_audio_completion),
		StatedAcceptedPrediction: int(u.stated_accepted_prediction),
		StatedRejectedPrediction: int(u.stated_rejected_prediction),
		StatedTotal:              int(u.stated_total),
		IsComplete:               u.is_complete != 0,
		IsError:                  u.is_error != 0,
		IsAnomaly:                u.is_anomaly != 0,
		Unread:                   Unread(u.unread),
	}, nil
}

// Close frees the meter.
func (m *StreamMeter) Close() {
	if m.c != nil {
		C.weir_stream_meter_free(m.c)
		m.g.done()
		m.c = nil
	}
}

// Reader is an answer's body that is metered as it is read. At its end, good or bad, the meter is
// told so, and Usage is final.
func (m *StreamMeter) Reader(body io.Reader) io.Reader {
	return &meterReader{meter: m, body: body}
}

type meterReader struct {
	meter *StreamMeter
	body  io.Reader
	rest  []byte // to be given before more is read
	err   error  // what to give after it
}

func (r *meterReader) Read(buffer []byte) (int, error) {
	if len(buffer) == 0 {
		return 0, nil
	}
	for len(r.rest) == 0 && r.err == nil {
		if read := r.fill(buffer); read > 0 {
			return read, nil
		}
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	given := copy(buffer, r.rest)
	r.rest = r.rest[given:]
	return given, nil
}

// fill reads a piece, into the buffer as it is passed on if it needs no other bytes.
func (r *meterReader) fill(buffer []byte) int {
	read, err := r.body.Read(buffer)
	relayed := buffer[:read]
	if read > 0 {
		var failed error
		if relayed, failed = r.meter.Feed(relayed); failed != nil {
			r.err = failed
			return 0
		}
	}
	r.err = err
	if err == nil && len(relayed) <= len(buffer) {
		return copy(buffer, relayed)
	}
	// A view ends with the next call; what End gives comes behind it.
	r.rest = append([]byte(nil), relayed...)
	if errors.Is(err, io.EOF) {
		last, failed := r.meter.End()
		r.rest = append(r.rest, last...)
		if failed != nil {
			r.err = failed
		}
	} else if err != nil {
		if failed := r.meter.ClientLeft(); failed != nil {
			r.err = failed
		}
	}
	return 0
}
