package weir

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const transcripts = "../../tests/transcripts"

// cuts are the sizes of the pieces that bodies are fed in: whole, byte by byte, across every
// boundary; at length every size up to a hundred.
func cuts() []int {
	if os.Getenv("WEIR_LONG") == "" {
		return []int{0, 1, 7}
	}
	sizes := make([]int, 101)
	for i := range sizes {
		sizes[i] = i
	}
	return sizes
}

func name(path string) string { return strings.TrimSuffix(filepath.Base(path), ".json") }

func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(transcripts, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts in %s (%v)", transcripts, err)
	}
	for _, path := range paths {
		path := path
		t.Run(name(path), func(t *testing.T) {
			for _, cut := range cuts() {
				if fault := play(path, cut); fault != "" {
					t.Error(fault)
				}
			}
		})
	}
}

var planted = regexp.MustCompile(`(?m)^weir_planted\((\w+) "((?:[^"\\]|\\.)*)"\)`)

// A player that finds no fault proves nothing. What is to be told of each planted one is read where
// the other players have it.
func TestPlantedTranscripts(t *testing.T) {
	list, err := os.ReadFile(filepath.Join(transcripts, "planted.cmake"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, match := range planted.FindAllStringSubmatch(string(list), -1) {
		told[match[1]] = strings.ReplaceAll(match[2], `\"`, `"`)
	}
	paths, _ := filepath.Glob(filepath.Join(transcripts, "planted", "*.json"))
	if len(paths) == 0 || len(paths) != len(told) {
		t.Fatalf("%d planted transcripts, %d expectations", len(paths), len(told))
	}
	for _, path := range paths {
		expected := regexp.MustCompile(`event [12] .*` + told[name(path)])
		for _, cut := range cuts() {
			if fault := play(path, cut); told[name(path)] == "" || !expected.MatchString(fault) {
				t.Errorf("%s: %q does not match %q", name(path), fault, expected)
			}
		}
	}
}
