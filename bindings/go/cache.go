package weir

// #include "crossing.h"
import "C"

import (
	"errors"
	"time"
	"unsafe"
)

// CacheFound is how a look-up ended.
type CacheFound int32

// The ways.
const (
	CacheMiss     CacheFound = C.WEIR_CACHE_MISS
	CacheExact    CacheFound = C.WEIR_CACHE_EXACT    // by the key
	CacheSemantic CacheFound = C.WEIR_CACHE_SEMANTIC // by the vector
)

// MissReason is why nothing was found.
type MissReason int32

// The reasons.
const (
	MissNone           MissReason = C.WEIR_MISS_NONE
	MissNoVector       MissReason = C.WEIR_MISS_NO_VECTOR
	MissEmptyPartition MissReason = C.WEIR_MISS_EMPTY_PARTITION
	MissBelowThreshold MissReason = C.WEIR_MISS_BELOW_THRESHOLD
	MissExpired        MissReason = C.WEIR_MISS_EXPIRED
	MissOtherEmbedder  MissReason = C.WEIR_MISS_OTHER_EMBEDDER
	MissWrongDimension MissReason = C.WEIR_MISS_WRONG_DIMENSION
	MissBadVector      MissReason = C.WEIR_MISS_BAD_VECTOR
	MissRaced          MissReason = C.WEIR_MISS_RACED
	MissRefused        MissReason = C.WEIR_MISS_REFUSED
)

// String is the reason's word: "below_threshold".
func (m MissReason) String() string {
	var name C.weir_go_text
	if C.weir_cache_miss_name(C.int32_t(m), &name.bytes, &name.size) != C.WEIR_OK {
		return ""
	}
	return goString(name)
}

// CacheOptions; whoever makes a cache in a state decides them, and the next must bring the same.
type CacheOptions struct {
	Dimensions     int    // of the vectors, 8 to 4096; 0 = keys only
	MaxEntries     int    // 0 = 10000
	MaxPartitions  int    // 0 = 1024
	Bytes          uint64 // for everything; 0 = as MaxEntries values of ValueBytes need
	ValueBytes     int    // 0 = 2048
	PartitionQuota int    // entries a partition; 0 = no quota; may differ
	Seed           uint64 // may differ; 0 = random
	Clock          Clock  // nil = SystemClock
}

// Cache finds values by the key of a request, or by a vector of what it means, each in a partition
// (a tenant, say) that no other sees into. Any number of goroutines may use one.
type Cache struct {
	c     *C.weir_cache
	g     *guard
	clock Clock
}

// NewCache makes the cache of this name over a state; nil: over private memory of its own. Options
// may be nil.
func NewCache(state *State, name string, options *CacheOptions) (*Cache, error) {
	if options == nil {
		options = &CacheOptions{}
	}
	given := C.weir_cache_options{
		size:            C.sizeof_weir_cache_options,
		dimensions:      C.uint32_t(options.Dimensions),
		max_entries:     C.uint32_t(options.MaxEntries),
		max_partitions:  C.uint32_t(options.MaxPartitions),
		bytes:           C.uint64_t(options.Bytes),
		value_bytes:     C.uint32_t(options.ValueBytes),
		partition_quota: C.uint32_t(options.PartitionQuota),
		seed:            orRandom(options.Seed),
	}
	text, size := textOf(name)
	cache := &Cache{clock: orSystem(options.Clock)}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_cache_new(state.handle(), text, size, &given, &cache.c, e)
	})
	if err != nil {
		return nil, err
	}
	cache.g = watch("Cache")
	return cache, nil
}

// CacheKey is what a look-up and an entry are known by.
type CacheKey struct {
	Partition string
	Key       string    // of everything that may change the answer; any bytes
	Vector    []float32 // nil: by the key only
	Embedder  uint64    // what made the vector: only vectors of the same, and of the same
	Epoch     uint32    // epoch of it, are compared
}

// CacheAnswer is what a cache answered.
type CacheAnswer struct {
	Found           CacheFound
	Miss            MissReason
	Value           []byte
	Similarity      float64 // also of the nearest that was not near enough
	SimilarityError float64
	Entry           uint64 // for Touch, Remove and Try
	Age             time.Duration
}

func floatsOf(vector []float32) (*C.float, C.size_t) {
	if len(vector) == 0 {
		return nil, 0
	}
	return (*C.float)(unsafe.Pointer(&vector[0])), C.size_t(len(vector))
}

// Lookup gives the value of this very key, or of the most similar vector of the partition that
// reaches minSimilarity (cosine, above 0 to 1; 0: by the key only).
func (c *Cache) Lookup(key *CacheKey, minSimilarity float64) (CacheAnswer, error) {
	return c.look(key, minSimilarity, &C.weir_cache_query{})
}

// Try is a Lookup of which nothing is counted until Confirm says what became of it. It does not
// find by meaning what was refused before: up to four entries.
func (c *Cache) Try(key *CacheKey, minSimilarity float64, refused ...uint64) (CacheAnswer, error) {
	how := C.weir_cache_query{is_tentative: 1}
	for i := 0; i < len(refused) && i < len(how.exclude); i++ {
		how.exclude[i] = C.uint64_t(refused[i])
	}
	return c.look(key, minSimilarity, &how)
}

// Confirm says what became of Try's answer, once for however many there were for one request: a hit
// that was given is counted, and counts as use; one that was refused is a miss.
func (c *Cache) Confirm(answer *CacheAnswer, given bool) error {
	told := C.weir_cache_answer{
		size:       C.sizeof_weir_cache_answer,
		found:      C.int32_t(answer.Found),
		miss:       C.int32_t(answer.Miss),
		similarity: C.double(answer.Similarity),
		entry:      C.uint64_t(answer.Entry),
	}
	isGiven := C.int32_t(0)
	if given {
		isGiven = 1
	}
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_cache_confirm(c.c, &told, isGiven, e)
	})
}

// Probe looks by the key alone. A miss is not counted, as a Lookup may follow.
func (c *Cache) Probe(key *CacheKey) (CacheAnswer, error) {
	return c.look(key, 0, &C.weir_cache_query{is_probe: 1})
}

func (c *Cache) look(key *CacheKey, minSimilarity float64,
	how *C.weir_cache_query) (CacheAnswer, error) {
	p := newPacker()
	defer p.free()
	given := C.weir_cache_query{
		size:           C.sizeof_weir_cache_query,
		embedder_epoch: C.uint32_t(key.Epoch),
		embedder_id:    C.uint64_t(key.Embedder),
		min_similarity: C.double(minSimilarity),
		is_probe:       how.is_probe,
		is_tentative:   how.is_tentative,
		exclude:        how.exclude,
	}
	given.partition_size = p.raw(key.Partition)
	given.key_size = p.raw(key.Key)
	vector, count := floatsOf(key.Vector)
	given.vector_size = count
	texts := p.pointer()
	answer := C.weir_cache_answer{size: C.sizeof_weir_cache_answer}
	mono, unix := c.clock.read()
	value, err := readText(
		func(buffer *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_go_cache_lookup(c.c, &given, texts, vector, mono, unix, buffer, capacity,
				needed, &answer, e)
		})
	if err != nil {
		return CacheAnswer{}, err
	}
	return CacheAnswer{
		Found:           CacheFound(answer.found),
		Miss:            MissReason(answer.miss),
		Value:           value,
		Similarity:      float64(answer.similarity),
		SimilarityError: float64(answer.similarity_error),
		Entry:           uint64(answer.entry),
		Age:             time.Duration(answer.age_ns),
	}, nil
}

// CacheEntry is what Insert keeps.
type CacheEntry struct {
	CacheKey
	Value        []byte
	TTL          time.Duration // up to 366 days; 0 = no end
	Model, Scope uint64        // to purge by
	Worth        int           // 0 to 3: how many rounds longer it stays when room is short
}

// Insert keeps a value, in place of that of the same partition and key if there is one; gives the
// entry's number.
func (c *Cache) Insert(entry *CacheEntry) (uint64, error) {
	p := newPacker()
	defer p.free()
	given := C.weir_cache_entry{
		size:           C.sizeof_weir_cache_entry,
		embedder_epoch: C.uint32_t(entry.Epoch),
		embedder_id:    C.uint64_t(entry.Embedder),
		ttl_ns:         C.int64_t(entry.TTL),
		model:          C.uint64_t(entry.Model),
		scope:          C.uint64_t(entry.Scope),
		worth:          C.uint32_t(entry.Worth),
	}
	given.partition_size = p.raw(entry.Partition)
	given.key_size = p.raw(entry.Key)
	vector, count := floatsOf(entry.Vector)
	given.vector_size = count
	value, size := bytesOf(entry.Value)
	given.value_size = size
	texts := p.pointer()
	mono, unix := c.clock.read()
	var id C.uint64_t
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_go_cache_insert(c.c, &given, texts, vector, value, mono, unix, &id, e)
	})
	return uint64(id), err
}

// orGone tells what is gone from what went wrong.
func orGone(err error) (bool, error) {
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Touch counts as use; with a ttl above 0 the entry lives that long from now. False: it is gone.
func (c *Cache) Touch(entry uint64, ttl time.Duration) (bool, error) {
	now := c.clock.now()
	return orGone(try(func(e *C.weir_error) C.weir_status {
		return C.weir_cache_touch(c.c, C.uint64_t(entry), C.int64_t(ttl), &now, e)
	}))
}

// Remove takes an entry out. False: it was gone.
func (c *Cache) Remove(entry uint64) (bool, error) {
	return orGone(try(func(e *C.weir_error) C.weir_status {
		return C.weir_cache_remove(c.c, C.uint64_t(entry), e)
	}))
}

func (c *Cache) purge(which C.int32_t, partition string, tag uint64) (uint64, error) {
	text, size := textOf(partition)
	var removed C.uint64_t
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_cache_purge(c.c, which, text, size, C.uint64_t(tag), &removed, e)
	})
	return uint64(removed), err
}

// PurgePartition removes a partition's entries, and tells how many there were.
func (c *Cache) PurgePartition(partition string) (uint64, error) {
	return c.purge(C.WEIR_PURGE_PARTITION, partition, 0)
}

// PurgeModel removes the entries of a model.
func (c *Cache) PurgeModel(model uint64) (uint64, error) {
	return c.purge(C.WEIR_PURGE_MODEL, "", model)
}

// PurgeScope removes the entries of a scope.
func (c *Cache) PurgeScope(scope uint64) (uint64, error) {
	return c.purge(C.WEIR_PURGE_SCOPE, "", scope)
}

// PurgeAll removes all entries.
func (c *Cache) PurgeAll() (uint64, error) { return c.purge(C.WEIR_PURGE_ALL, "", 0) }

// Stats are hits, misses by reason, entries and more as JSON: see weir_cache_stats_json.
func (c *Cache) Stats() ([]byte, error) {
	return readText(
		func(buffer *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_cache_stats_json(c.c, buffer, capacity, needed, e)
		})
}

// Close frees the cache.
func (c *Cache) Close() {
	if c.c != nil {
		C.weir_cache_free(c.c)
		c.g.done()
		c.c = nil
	}
}

// LexicalEmbed fills a vector (64 to 4096 floats) with a text's words and groups of letters: near
// for texts that share their wording. ErrNotFound: the text has no word.
func LexicalEmbed(text string, vector []float32) error {
	bytes, size := textOf(text)
	floats, count := floatsOf(vector)
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_lexical_embed(bytes, size, floats, count, e)
	})
}

// MeaningVerdict is whether an answer to one text may answer another; else the guard that refused
// ("opposites"), and the pieces that differ.
type MeaningVerdict struct {
	Allowed       bool
	Guard         string
	Asked, Stored string
}

// CompareMeaning tells whether an answer to `stored` may answer `asked`. Guards: a set of the bits
// 1 << WEIR_GUARD_…; 0: all but "words".
func CompareMeaning(asked, stored string, guards uint32) (MeaningVerdict, error) {
	one, oneSize := textOf(asked)
	other, otherSize := textOf(stored)
	verdict := C.weir_meaning_verdict{size: C.sizeof_weir_meaning_verdict}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_meaning_compare(one, oneSize, other, otherSize, C.uint32_t(guards), &verdict,
			e)
	})
	told := MeaningVerdict{Allowed: verdict.allowed != 0}
	if err != nil || told.Allowed {
		return told, err
	}
	var name C.weir_go_text
	if C.weir_meaning_guard_name(verdict.guard, &name.bytes, &name.size) == C.WEIR_OK {
		told.Guard = goString(name)
	}
	told.Asked = C.GoStringN(&verdict.asked[0], C.int(verdict.asked_size))
	told.Stored = C.GoStringN(&verdict.stored[0], C.int(verdict.stored_size))
	return told, nil
}
