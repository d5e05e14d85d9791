package weir

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// absent stands for a value that there is not.
type absent struct{}

func show(value any) string {
	if value == (absent{}) {
		return "nothing"
	}
	text, _ := json.Marshal(value)
	return string(text)
}

func asMatcher(expected any) (map[string]any, bool) {
	object, _ := expected.(map[string]any)
	for word := range object {
		if strings.HasPrefix(word, "$") {
			return object, true
		}
	}
	return nil, false
}

func asNumber(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case string:
		number, err := strconv.ParseFloat(v, 64)
		return number, err == nil
	}
	return 0, false
}

// match tells how a value is not what is expected; the empty text: it is.
func match(actual, expected any) string {
	if matcher, is := asMatcher(expected); is {
		return matchWords(actual, matcher)
	}
	switch want := expected.(type) {
	case map[string]any:
		if got, is := actual.(map[string]any); is {
			return matchMembers(got, want)
		}
	case []any:
		if got, is := actual.([]any); is {
			return matchElements(got, want)
		}
	}
	if actual != (absent{}) && reflect.DeepEqual(actual, expected) {
		return ""
	}
	return fmt.Sprintf("%s is not %s", show(actual), show(expected))
}

func matchWords(actual any, matcher map[string]any) string {
	number, isNumber := asNumber(actual)
	for word, operand := range matcher {
		bound, _ := operand.(float64)
		good := false
		switch word {
		case "$absent":
			good = (actual == absent{}) == (operand == true)
		case "$present":
			good = (actual != absent{}) == (operand == true)
		case "$min":
			good = isNumber && number >= bound
		case "$max":
			good = isNumber && number <= bound
		case "$contains":
			text, is := actual.(string)
			piece, _ := operand.(string)
			good = is && strings.Contains(text, piece)
		default:
			return "no matcher is called " + word
		}
		if !good {
			return fmt.Sprintf("%s is not %s %s", show(actual), word, show(operand))
		}
	}
	return ""
}

func matchMembers(actual, expected map[string]any) string {
	for _, member := range sortedKeys(expected) {
		got, has := actual[member]
		if !has {
			got = absent{}
		}
		if why := match(got, expected[member]); why != "" {
			return at("."+member, why)
		}
	}
	return ""
}

func matchElements(actual, expected []any) string {
	if len(actual) != len(expected) {
		return fmt.Sprintf("%d elements, not %d", len(actual), len(expected))
	}
	for i := range expected {
		if why := match(actual[i], expected[i]); why != "" {
			return at(fmt.Sprintf("[%d]", i), why)
		}
	}
	return ""
}

// at puts a place before what is wrong there.
func at(place, why string) string {
	if why == "" || why[0] == '.' || why[0] == '[' {
		return place + why
	}
	return place + ": " + why
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
