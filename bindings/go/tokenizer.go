package weir

// #include "crossing.h"
import "C"

// Tokenizer counts the tokens of texts as the library that defines it does. Texts are any bytes.
type Tokenizer struct {
	c *C.weir_tokenizer
	g *guard // nil: built in
}

// FindTokenizer gives the built-in tokenizer of this name ("o200k_base"), or that of a model
// ("gpt-4o"). ErrNotFound: it is not known.
func FindTokenizer(name string) (*Tokenizer, error) {
	text, size := textOf(name)
	t := &Tokenizer{}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_tokenizer_find(text, size, &t.c, e)
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// LoadTokenizer makes one of the bytes of its file: a tokenizer.json of Hugging Face, a
// SentencePiece .model or a .tiktoken rank file. The pattern, of rank files that are not well
// known, is the name of an encoding or a regular expression; else empty. Takes about 30 ms for
// 100,000 tokens.
func LoadTokenizer(name string, file []byte, pattern string) (*Tokenizer, error) {
	nameText, nameSize := textOf(name)
	patternText, patternSize := textOf(pattern)
	bytes, size := bytesOf(file)
	t := &Tokenizer{}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_tokenizer_load(nameText, nameSize, bytes, size, patternText, patternSize,
			&t.c, e)
	})
	if err != nil {
		return nil, err
	}
	t.g = watch("Tokenizer")
	return t, nil
}

// CountTokens gives the tokens of a text as a model or an encoding counts them: for one that is
// used often, keep its Tokenizer.
func CountTokens(model, text string) (int, error) {
	tokenizer, err := FindTokenizer(model)
	if err != nil {
		return 0, err
	}
	return tokenizer.Count(text)
}

// Encodings are the names of the built-in tokenizers.
func Encodings() (names []string) {
	var name C.weir_go_text
	for i := C.uint32_t(0); C.weir_encoding_name(i, &name.bytes, &name.size) == C.WEIR_OK; i++ {
		names = append(names, goString(name))
	}
	return names
}

// EncodingForModel is the encoding that a model uses, or that of the model at which a deployment's
// name hints ("prod-gpt-4o-eu"). ErrNotFound: it is not known.
func EncodingForModel(model string) (string, error) {
	text, size := textOf(model)
	var name C.weir_go_text
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_encoding_for_model(text, size, &name.bytes, &name.size, e)
	})
	return goString(name), err
}

// Name is what the tokenizer is called.
func (t *Tokenizer) Name() string {
	var name C.weir_go_text
	C.weir_tokenizer_name(t.c, &name.bytes, &name.size)
	return goString(name)
}

// Count gives the number of tokens of a text.
func (t *Tokenizer) Count(text string) (int, error) {
	bytes, size := textOf(text)
	var count C.uint64_t
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_tokenizer_count(t.c, bytes, size, &count, e)
	})
	return int(count), err
}

// CountUpTo is the same if there are at most `limit`, else a number above it: then no more was read
// than it took to know.
func (t *Tokenizer) CountUpTo(text string, limit int) (int, error) {
	bytes, size := textOf(text)
	var count C.uint64_t
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_tokenizer_count_up_to(t.c, bytes, size, C.uint64_t(limit), &count, e)
	})
	return int(count), err
}

// Encode gives the token ids of a text. What looks like a special token is text.
func (t *Tokenizer) Encode(text string) ([]uint32, error) { return t.encode(text, false) }

// EncodeWithSpecials gives special tokens where their text stands: only for text that nobody else
// has written.
func (t *Tokenizer) EncodeWithSpecials(text string) ([]uint32, error) {
	return t.encode(text, true)
}

func (t *Tokenizer) encode(text string, specials bool) ([]uint32, error) {
	bytes, size := textOf(text)
	// No text has more tokens than bytes, save those that add one in front; then it is asked again.
	ids := make([]uint32, len(text)+1)
	var needed C.size_t
	for {
		var status C.weir_status
		err := try(func(e *C.weir_error) C.weir_status {
			first := (*C.uint32_t)(&ids[0])
			if specials {
				status = C.weir_tokenizer_encode_with_specials(t.c, bytes, size, first,
					C.size_t(len(ids)), &needed, e)
			} else {
				status = C.weir_tokenizer_encode(t.c, bytes, size, first, C.size_t(len(ids)),
					&needed, e)
			}
			return status
		})
		if err == nil {
			return ids[:needed], nil
		}
		if status != C.WEIR_OUT_OF_RANGE || int(needed) <= len(ids) {
			return nil, err
		}
		ids = make([]uint32, needed)
	}
}

// Decode gives the bytes that ids stand for.
func (t *Tokenizer) Decode(ids []uint32) ([]byte, error) {
	var first *C.uint32_t
	if len(ids) > 0 {
		first = (*C.uint32_t)(&ids[0])
	}
	return readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_tokenizer_decode(t.c, first, C.size_t(len(ids)), b, capacity, needed, e)
		})
}

// Split gives how many bytes of a text make its longest beginning of at most `maxTokens` tokens
// that ends with a whole token and a whole character.
func (t *Tokenizer) Split(text string, maxTokens int) (int, error) {
	bytes, size := textOf(text)
	var split C.size_t
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_tokenizer_split(t.c, bytes, size, C.uint64_t(maxTokens), &split, e)
	})
	return int(split), err
}

// Close frees a loaded tokenizer, after all that was made with it; a built-in one stays.
func (t *Tokenizer) Close() {
	if t.g != nil {
		C.weir_tokenizer_free(t.c)
		t.g.done()
		t.c, t.g = nil, nil
	}
}

// SetPieceCache tells whether built-in tokenizers remember what they counted (they do, 3.5 MiB an
// encoding).
func SetPieceCache(on bool) { C.weir_tokenizer_set_piece_cache(boolInt(on)) }

// TokenCounter counts the tokens of a text that comes in pieces; exact for any cuts. It is an
// io.Writer.
type TokenCounter struct {
	c *C.weir_token_counter
	g *guard
}

// NewCounter makes one; the tokenizer must outlive it.
func (t *Tokenizer) NewCounter() (*TokenCounter, error) {
	k := &TokenCounter{}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_token_counter_new(t.c, &k.c, e)
	})
	if err != nil {
		return nil, err
	}
	k.g = watch("TokenCounter")
	return k, nil
}

// Write goes on with the text.
func (k *TokenCounter) Write(piece []byte) (int, error) {
	bytes, size := bytesOf(piece)
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_token_counter_append(k.c, bytes, size, e)
	})
	if err != nil {
		return 0, err
	}
	return len(piece), nil
}

// Total is the tokens of all the text so far.
func (k *TokenCounter) Total() (int, error) {
	var count C.uint64_t
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_token_counter_total(k.c, &count, e)
	})
	return int(count), err
}

// Close frees the counter.
func (k *TokenCounter) Close() {
	if k.c != nil {
		C.weir_token_counter_free(k.c)
		k.g.done()
		k.c = nil
	}
}
