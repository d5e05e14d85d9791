// Functions and JSON schemas as they are written out for OpenAI's models.
//
// Functions become a TypeScript namespace, as OpenAI's description of the harmony format shows:
//
//   namespace functions {
//
//   // Get the current weather
//   type get_weather = (_: {
//   // City and state
//   location: string,
//   unit?: "celsius" | "fahrenheit", // default: celsius
//   }) => any;
//
//   } // namespace functions
//
// What that leaves open, bills tell: nothing is indented; an object whose members have no comments
// stands on one line, without the last comma; a title is a comment before the description, with an
// empty comment line between; each line of a description is trimmed; $ref is replaced by what it
// names. A schema of the answer stays JSON, without blanks, `required` and `additionalProperties`.

#ifndef WEIR_LIB_METERING_PROMPT_SCHEMA_H_
#define WEIR_LIB_METERING_PROMPT_SCHEMA_H_

#include <string>

#include "base/json.h"

namespace weir::metering {

// Of a function's definition {name, description, parameters}, appends its comments and type with
// the blank line after it. `harmony`: as GPT-5 has it. False when the schema refers to itself so
// often that what was written had to be cut.
bool AppendFunction(const json::Value& function, bool harmony, std::string* out);

// Appends the definition of a tool that takes text: its description and the lines of its grammar,
// if it has one, as comments. Returns whether it has.
bool AppendCustomTool(const json::Value& tool, std::string* out);

// Appends a schema of answers.
void AppendAnswerSchema(const json::Value& schema, std::string* out);

// Appends JSON text without the blanks between its tokens. Text that is not JSON comes out with its
// blanks outside of quotes dropped.
void AppendCompactJson(std::string_view text, std::string* out);

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_PROMPT_SCHEMA_H_
