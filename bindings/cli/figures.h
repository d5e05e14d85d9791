// Figures as people read them, and tables of them.

#ifndef WEIR_BINDINGS_CLI_FIGURES_H_
#define WEIR_BINDINGS_CLI_FIGURES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::cli {

// "1,234,567"
std::string Grouped(uint64_t number);

// "16.0 MiB"
std::string SizeText(uint64_t bytes);

// "83.4%", rounded down, so that only what is full is 100%; "-" of nothing.
std::string ShareText(uint64_t used, uint64_t amount);

// The two largest parts of a time: "3 d 4 h", "12 min 5 s", "250 ms".
std::string DurationText(uint64_t ms);

// A name from a file, for a terminal: what could steer it is a question mark.
std::string ShownName(const std::string& name);

// Rows of as many cells each, in columns as wide as their widest cell: the first `text_columns` to
// the left, the numbers to the right; each line begins with `indent`.
std::string TableOf(const std::vector<std::vector<std::string>>& rows, size_t text_columns,
                    const std::string& indent = {});

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_FIGURES_H_
