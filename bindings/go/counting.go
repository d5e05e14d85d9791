package weir

// #include "crossing.h"
import "C"

// Dialect is whose wire format; compatible servers speak OpenAI's.
type Dialect int32

// The dialects.
const (
	DialectOpenAI      Dialect = C.WEIR_DIALECT_OPENAI
	DialectAzureOpenAI Dialect = C.WEIR_DIALECT_AZURE_OPENAI
	DialectAnthropic   Dialect = C.WEIR_DIALECT_ANTHROPIC
	DialectGemini      Dialect = C.WEIR_DIALECT_GEMINI
	DialectBedrock     Dialect = C.WEIR_DIALECT_BEDROCK
)

// Operation is what is asked. Chat is also Anthropic's messages, Gemini's generateContent and
// Bedrock's converse.
type Operation int32

// The operations.
const (
	OperationChat        Operation = C.WEIR_OPERATION_CHAT
	OperationResponses   Operation = C.WEIR_OPERATION_RESPONSES
	OperationCompletions Operation = C.WEIR_OPERATION_COMPLETIONS
	OperationEmbeddings  Operation = C.WEIR_OPERATION_EMBEDDINGS
)

// Provenance is how sure a number of tokens is.
type Provenance int32

// The provenances.
const (
	ProvenanceExact      Provenance = C.WEIR_PROVENANCE_EXACT       // what will be billed
	ProvenanceProvider   Provenance = C.WEIR_PROVENANCE_PROVIDER    // what the provider stated
	ProvenanceUpperBound Provenance = C.WEIR_PROVENANCE_UPPER_BOUND // at most this
	ProvenanceEstimated  Provenance = C.WEIR_PROVENANCE_ESTIMATED
)

func (p Provenance) String() string {
	switch p {
	case ProvenanceExact:
		return "exact"
	case ProvenanceProvider:
		return "provider"
	case ProvenanceUpperBound:
		return "upper_bound"
	case ProvenanceEstimated:
		return "estimated"
	}
	return "?"
}

// RequestOptions say how to read a request; the zero value: as it tells itself.
type RequestOptions struct {
	Dialect   Dialect    // 0: as the target says, else by the body's shape
	Operation Operation  // 0: likewise
	Target    string     // what it was sent to, path and query
	Model     string     // empty: as the target says, else the body
	Tokenizer *Tokenizer // nil: the model's, or a stand-in if that is not known
	IsStandin bool       // Tokenizer is not the model's own; the count is an estimate
	Limit     int        // stop as soon as the count is above this; 0 = never
}

// PromptCount is what a request's prompt comes to.
type PromptCount struct {
	PromptTokens int // above the limit: some number above it
	Provenance   Provenance
	Dialect      Dialect // what the body was read as
	Operation    Operation
	IsGuess      bool // that was told by the body's shape
	ModelKnown   bool // counted with the model's own tokenizer
}

func (t *Tokenizer) handle() *C.weir_tokenizer {
	if t == nil {
		return nil
	}
	return t.c
}

// pack gives the options, and their texts in the packer.
func (o *RequestOptions) pack(p *packer) C.weir_request_options {
	if o == nil {
		o = &RequestOptions{}
	}
	return C.weir_request_options{
		size:        C.sizeof_weir_request_options,
		dialect:     C.int32_t(o.Dialect),
		operation:   C.int32_t(o.Operation),
		is_standin:  boolInt(o.IsStandin),
		limit:       C.uint64_t(o.Limit),
		target_size: p.raw(o.Target),
		model_size:  p.raw(o.Model),
		tokenizer:   o.Tokenizer.handle(),
	}
}

// CountRequest gives the prompt tokens of a whole request body: texts, frames of messages, tools,
// schemas, images. Options may be nil. A model that is not known is no error: the count is an
// estimate then.
func CountRequest(body []byte, options *RequestOptions) (PromptCount, error) {
	p := newPacker()
	defer p.free()
	given := options.pack(p)
	bytes, size := bytesOf(body)
	count := C.weir_prompt_count{size: C.sizeof_weir_prompt_count}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_go_count_request(&given, p.pointer(), bytes, size, &count, e)
	})
	if err != nil {
		return PromptCount{}, err
	}
	return PromptCount{
		PromptTokens: int(count.prompt_tokens),
		Provenance:   Provenance(count.provenance),
		Dialect:      Dialect(count.dialect),
		Operation:    Operation(count.operation),
		IsGuess:      count.is_guess != 0,
		ModelKnown:   count.model_known != 0,
	}, nil
}

// CountRequestParts is the same as a JSON object, with what each part adds.
func CountRequestParts(body []byte, options *RequestOptions) ([]byte, error) {
	p := newPacker()
	defer p.free()
	given := options.pack(p)
	bytes, size := bytesOf(body)
	return readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_go_count_request_json(&given, p.pointer(), bytes, size, b, capacity,
				needed, e)
		})
}
