package weir

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func direction(cosine float64) []float32 {
	vector := make([]float32, 16)
	vector[0], vector[1] = float32(cosine), float32(math.Sqrt(1-cosine*cosine))
	return vector
}

func TestCacheFinds(t *testing.T) {
	noLeaks(t)
	now := &manual{}
	cache := must(NewCache(nil, "faq", &CacheOptions{Dimensions: 16, Clock: now.clock}))(t)
	defer cache.Close()
	one := CacheKey{Partition: "red", Key: "one", Vector: direction(1)}
	value := bytes.Repeat([]byte("an\x00swer"), 1000)
	entry := must(cache.Insert(&CacheEntry{CacheKey: one, Value: value, TTL: time.Minute}))(t)
	now.at = 5 * time.Second
	exact := must(cache.Lookup(&one, 0.9))(t)
	if exact.Found != CacheExact || !bytes.Equal(exact.Value, value) || exact.Entry != entry ||
		exact.Age != now.at || exact.Similarity != 1 {
		t.Errorf("%d bytes, %+v", len(exact.Value), exact.Found)
	}
	near := must(cache.Lookup(&CacheKey{Partition: "red", Vector: direction(0.95)}, 0.9))(t)
	if near.Found != CacheSemantic || math.Abs(near.Similarity-0.95) > 0.02 {
		t.Errorf("%v %v", near.Found, near.Similarity)
	}
	for want, key := range map[MissReason]CacheKey{
		MissBelowThreshold: {Partition: "red", Vector: direction(0.5)},
		MissEmptyPartition: {Partition: "blue", Key: "one", Vector: direction(1)},
		MissOtherEmbedder:  {Partition: "red", Vector: direction(1), Epoch: 1},
		MissWrongDimension: {Partition: "red", Vector: []float32{1}},
		MissNoVector:       {Partition: "red"},
	} {
		answer := must(cache.Lookup(&key, 0.9))(t)
		if answer.Found != CacheMiss || answer.Miss != want || answer.Value != nil {
			t.Errorf("%v, not %v", answer, want)
		}
	}
	if must(cache.Probe(&CacheKey{Key: "none"}))(t).Found != CacheMiss {
		t.Error("a probe found what there is not")
	}
	stats := string(must(cache.Stats())(t))
	if !strings.Contains(stats, `"exact_hits":1,"semantic_hits":1,"misses":{"no_vector":1,`) {
		t.Error(stats)
	}
	now.at = time.Minute
	if answer := must(cache.Lookup(&one, 0))(t); answer.Miss != MissExpired {
		t.Errorf("%v", answer.Miss)
	}
	if MissRaced.String() != "raced" || MissReason(99).String() != "" {
		t.Error("words of reasons")
	}
}

func TestCacheEntriesEnd(t *testing.T) {
	noLeaks(t)
	cache := must(NewCache(nil, "faq", nil))(t)
	defer cache.Close()
	keep := func(partition, key string, model uint64) uint64 {
		return must(cache.Insert(&CacheEntry{
			CacheKey: CacheKey{Partition: partition, Key: key}, Value: []byte(key), Model: model,
			Scope: 7, TTL: time.Hour,
		}))(t)
	}
	entry := keep("red", "a", 1)
	if !must(cache.Touch(entry, time.Minute))(t) || !must(cache.Remove(entry))(t) {
		t.Error("it was there")
	}
	if must(cache.Touch(entry, 0))(t) || must(cache.Remove(entry))(t) {
		t.Error("it was gone")
	}
	for i, purge := range []func() (uint64, error){
		func() (uint64, error) { return cache.PurgePartition("blue") },
		func() (uint64, error) { return cache.PurgeModel(1) },
		func() (uint64, error) { return cache.PurgeScope(7) },
		cache.PurgeAll,
	} {
		keep("red", "a", 1)
		keep("red", "b", 2)
		keep("blue", "a", 1)
		if removed := must(purge())(t); removed != []uint64{1, 2, 3, 3}[i] {
			t.Errorf("purge %d: %d", i, removed)
		}
		must(cache.PurgeAll())(t)
	}
	_, err := cache.Insert(&CacheEntry{CacheKey: CacheKey{Vector: []float32{1}}})
	isError(t, err, ErrInvalidArgument)
	_, err = cache.Lookup(&CacheKey{}, 1.5)
	isError(t, err, ErrInvalidArgument)
	_, err = NewCache(nil, "faq", &CacheOptions{Dimensions: 3})
	isError(t, err, ErrInvalidArgument)
}

func TestCacheRefused(t *testing.T) {
	noLeaks(t)
	cache := must(NewCache(nil, "faq", &CacheOptions{Dimensions: 8}))(t)
	defer cache.Close()
	for i, name := range []string{"a", "b"} {
		vector := []float32{1, float32(i+1) / 10, 0, 0, 0, 0, 0, 0}
		must(cache.Insert(&CacheEntry{CacheKey: CacheKey{Key: name, Vector: vector},
			Value: []byte(name)}))(t)
	}
	asked := &CacheKey{Key: "x", Vector: []float32{1, 0, 0, 0, 0, 0, 0, 0}}
	best := must(cache.Try(asked, 0.9))(t)
	next := must(cache.Try(asked, 0.9, best.Entry))(t)
	if string(best.Value) != "a" || string(next.Value) != "b" {
		t.Errorf("%q, then %q", best.Value, next.Value)
	}
	if err := cache.Confirm(&next, true); err != nil {
		t.Error(err)
	}
	if err := cache.Confirm(&best, false); err != nil {
		t.Error(err)
	}
	if stats := string(must(cache.Stats())(t)); !strings.Contains(stats, `"semantic_hits":1`) ||
		!strings.Contains(stats, `"refused":1`) {
		t.Error(stats)
	}
}

func TestCacheOfAState(t *testing.T) {
	noLeaks(t)
	path := filepath.Join(t.TempDir(), "state")
	for life := 0; life < 2; life++ {
		state := must(OpenState(path, &StateOptions{Bytes: 1 << 25}))(t)
		cache := must(NewCache(state, "faq", nil))(t)
		state.Close() // the cache keeps it
		key := CacheKey{Key: "k"}
		if found := must(cache.Lookup(&key, 0))(t).Found; (found == CacheExact) != (life == 1) {
			t.Errorf("life %d: %v", life, found)
		}
		must(cache.Insert(&CacheEntry{CacheKey: key, Value: []byte("v")}))(t)
		cache.Close()
	}
}

func TestMeaning(t *testing.T) {
	const on, off = "How do I enable the beta API?", "How do I disable the beta API?"
	verdict := must(CompareMeaning(on, off, 0))(t)
	if verdict != (MeaningVerdict{false, "opposites", "enable", "disable"}) {
		t.Errorf("%+v", verdict)
	}
	if !must(CompareMeaning(on, off, 1))(t).Allowed || !must(CompareMeaning(on, on, 0))(t).Allowed {
		t.Error("refused")
	}
	_, err := CompareMeaning(on, off, 4096)
	isError(t, err, ErrInvalidArgument)
	var a, b [512]float32
	if LexicalEmbed(on, a[:]) != nil || LexicalEmbed(off, b[:]) != nil {
		t.Fatal("not embedded")
	}
	var cosine float32
	for i := range a {
		cosine += a[i] * b[i]
	}
	if cosine < 0.5 || cosine > 0.99 {
		t.Error(cosine)
	}
	isError(t, LexicalEmbed("?!", a[:]), ErrNotFound)
	isError(t, LexicalEmbed("a", a[:10]), ErrInvalidArgument)
	isError(t, LexicalEmbed("a", nil), ErrInvalidArgument)
}

func TestHostEmbeds(t *testing.T) {
	noLeaks(t)
	var served int32
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		atomic.AddInt32(&served, 1)
		io.Copy(io.Discard, r.Body)
		complete(w, r)
	})
	document := strings.Replace(chatPolicy("", `, "caches": {"faq": {"embedding": {
		"host": "minilm", "dimensions": 8, "deadline": "200ms"}, "min_similarity": 0.9,
		"partition": "shared"}}`, backend.URL), `"auth": "none"`, `"auth": "none", "cache": "faq"`, 1)
	var texts []string
	embed := func(_ context.Context, name string, text []byte) ([]float32, error) {
		texts = append(texts, name+": "+string(text))
		return []float32{1, 1, 1, 1, 1, 1, 1, 1}, nil
	}
	transport := &Transport{Engine: newTestEngine(t, document, nil), Embed: embed}
	client := &http.Client{Transport: transport}
	say := func(text string, want int32) {
		t.Helper()
		response, body := ask(t, client, strings.Replace(prompt, "Say hello.", text, 1))
		if response.StatusCode != 200 || !strings.Contains(body, "Hello!") ||
			atomic.LoadInt32(&served) != want {
			t.Errorf("%d %s, served %d", response.StatusCode, body, served)
		}
	}
	say("How do I say hello?", 1)
	say("How is hello said?", 1) // the same vector
	if len(texts) != 2 || !strings.HasPrefix(texts[0], "minilm: How do I say hello?") {
		t.Errorf("%q", texts)
	}
	for i, which := range []Purge{PurgeModel, PurgePartition, PurgeAll} {
		what := []string{"another", "", ""}[i]
		if n := must(transport.Engine.PurgeCache("faq", which, what))(t); n != []uint64{0, 1, 0}[i] {
			t.Errorf("purge %d: %d", which, n)
		}
	}
	_, err := transport.Engine.PurgeCache("no", PurgeAll, "")
	isError(t, err, ErrNotFound)
	transport.Embed = func(context.Context, string, []byte) ([]float32, error) {
		return nil, errors.New("no model")
	}
	say("What else fails?", 2)
	transport.Embed = func(ctx context.Context, _ string, _ []byte) ([]float32, error) {
		<-ctx.Done() // the deadline is the policy's
		return []float32{1, 1, 1, 1, 1, 1, 1, 1}, nil
	}
	say("What is slow?", 3)
	transport.Embed = nil
	say("Who embeds?", 4)
}
