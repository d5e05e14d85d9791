package weir_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	weir "github.com/weir-gateway/weir/bindings/go"
)

func Example() {
	// Stands for a provider.
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"choices": [{"message": {"role": "assistant", "content": "Hello!"}}],
			"usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}`)
	}))
	defer backend.Close()

	policy, err := weir.ParsePolicy(`{
		"weir": 1,
		"backends": {"one": {"url": "` + backend.URL + `", "dialect": "openai"}},
		"pools": {"chat": {"members": [{"backend": "one"}]}},
		"limits": {"team": {"key": "request.headers['x-team']", "unit": "tokens",
		                    "amount": 25, "per": "1m"}},
		"routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "chat",
		            "limits": ["team"], "auth": "none"}]
	}`)
	if err != nil {
		log.Fatal(err)
	}
	defer policy.Close()
	engine, err := weir.NewEngine(policy, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	client := &http.Client{Transport: &weir.Transport{Engine: engine}}
	for i := 0; i < 3; i++ {
		request, _ := http.NewRequest("POST", "http://weir/v1/chat/completions", strings.NewReader(
			`{"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}`))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Team", "red")
		response, err := client.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		response.Body.Close()
		fmt.Println(response.Status, response.Header.Get("X-Weir-Tokens-Consumed"))
	}
	// Output:
	// 200 OK 11
	// 200 OK 11
	// 429 Too Many Requests
}

// What README.md shows is what Example does.
func TestReadmeShowsTheExample(t *testing.T) {
	const begin, end = "func main() {\n", "\n}\n"
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	example := between(string(source), "func Example() {\n", "\n	// Output:")
	if example == "" || between(string(readme), begin, end) != example {
		t.Error("README.md shows another example than example_test.go")
	}
}

func between(text, begin, end string) string {
	_, text, _ = strings.Cut(text, begin)
	text, _, _ = strings.Cut(text, end)
	return text
}
