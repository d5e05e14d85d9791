#include "match.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(char* why, size_t capacity, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, capacity, format, arguments);
  va_end(arguments);
  return 0;
}

static int is_matcher(const json_t* expected) {
  const char* first = NULL;
  if (json_is_object(expected) && json_object_size(expected) > 0) {
    first = json_object_iter_key(json_object_iter((json_t*)expected));
  }
  return first != NULL && first[0] == '$';
}

static void describe(const json_t* value, char* text, size_t capacity) {
  char* dump = value == NULL ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
  snprintf(text, capacity, "%s", dump == NULL ? "nothing" : dump);
  free(dump);
}

/* {"$min": 1, "$max": 2}, {"$contains": "x"}, {"$absent": true}, {"$present": true}. */
static int match_matcher(const json_t* actual, const json_t* expected, char* why, size_t capacity) {
  char shown[200];
  const char* name;
  json_t* operand;
  double number = 0;
  int is_number = json_is_number(actual);
  describe(actual, shown, sizeof(shown));
  if (is_number) number = json_number_value(actual);
  if (json_is_string(actual)) {
    char* end = NULL;
    number = strtod(json_string_value(actual), &end);
    is_number = end != json_string_value(actual) && *end == '\0';
  }
  json_object_foreach((json_t*)expected, name, operand) {
    int good = 0;
    if (strcmp(name, "$absent") == 0) {
      good = (actual == NULL) == json_is_true(operand);
    } else if (strcmp(name, "$present") == 0) {
      good = (actual != NULL) == json_is_true(operand);
    } else if (strcmp(name, "$min") == 0) {
      good = is_number && number >= json_number_value(operand);
    } else if (strcmp(name, "$max") == 0) {
      good = is_number && number <= json_number_value(operand);
    } else if (strcmp(name, "$contains") == 0) {
      good = json_is_string(actual) &&
             strstr(json_string_value(actual), json_string_value(operand)) != NULL;
    } else {
      return fail(why, capacity, "no matcher is called %s", name);
    }
    if (!good) {
      char wanted[200];
      describe(operand, wanted, sizeof(wanted));
      return fail(why, capacity, "%s is not %s %s", shown, name, wanted);
    }
  }
  return 1;
}

static int prefix(char* why, size_t capacity, const char* place) {
  char inner[400];
  snprintf(inner, sizeof(inner), "%s", why);
  return fail(why, capacity, "%s%s%s", place, inner[0] == '.' || inner[0] == '[' ? "" : ": ",
              inner);
}

static int match_object(const json_t* actual, const json_t* expected, char* why, size_t capacity) {
  const char* name;
  json_t* value;
  json_object_foreach((json_t*)expected, name, value) {
    if (!match_json(json_object_get(actual, name), value, why, capacity)) {
      char place[100];
      snprintf(place, sizeof(place), ".%s", name);
      return prefix(why, capacity, place);
    }
  }
  return 1;
}

int match_json(const json_t* actual, const json_t* expected, char* why, size_t capacity) {
  if (is_matcher(expected)) return match_matcher(actual, expected, why, capacity);
  if (json_is_object(actual) && json_is_object(expected)) {
    return match_object(actual, expected, why, capacity);
  }
  if (json_is_array(actual) && json_is_array(expected)) {
    if (json_array_size(actual) != json_array_size(expected)) {
      return fail(why, capacity, "%zu elements, not %zu", json_array_size(actual),
                  json_array_size(expected));
    }
    for (size_t i = 0; i < json_array_size(expected); ++i) {
      if (!match_json(json_array_get(actual, i), json_array_get(expected, i), why, capacity)) {
        char place[32];
        snprintf(place, sizeof(place), "[%zu]", i);
        return prefix(why, capacity, place);
      }
    }
    return 1;
  }
  if (actual != NULL && json_equal(actual, expected)) return 1;
  if (json_is_number(actual) && json_is_number(expected) &&
      json_number_value(actual) == json_number_value(expected)) {
    return 1; /* 30 is 30.0 */
  }
  char shown[200], wanted[200];
  describe(actual, shown, sizeof(shown));
  describe(expected, wanted, sizeof(wanted));
  return fail(why, capacity, "%s is not %s", shown, wanted);
}

int match_text(const char* actual, const json_t* expected, char* why, size_t capacity) {
  json_t* text = actual == NULL ? NULL : json_string_nocheck(actual);
  const int good = match_json(text, expected, why, capacity);
  json_decref(text);
  return good;
}
