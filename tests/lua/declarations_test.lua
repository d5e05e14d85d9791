-- LuaJIT's declarations are the C compiler's: `luajit declarations_test.lua LAYOUT WEIR_H…`, where
-- LAYOUT is the program of layout.c. The headers are read for what both of them may have lost.

package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local check = require "check"
local ffi = require "ffi"
local weir = require "weir"
local declared = require "weir.declarations"

local library = ffi.load(declared.soname)
local found = { constant = 0, struct = 0, field = 0 }

local compare = {
  constant = function(name, value)
    check.equal(weir[name], tonumber(value), name)
    check.equal(tonumber(library["WEIR_" .. name]), tonumber(value), "cdef's " .. name)
  end,
  struct = function(name, size)
    check.equal(ffi.sizeof(name), tonumber(size), "size of " .. name)
    check.that(declared.structs[name], name .. " is not known")
  end,
  field = function(name, field, offset, size)
    check.equal(ffi.offsetof(name, field), tonumber(offset), name .. "." .. field)
    local value = ffi.new(name)[field]
    local is_wide = type(value) == "cdata"
    check.equal(is_wide, tonumber(size) == 8, name .. "." .. field .. " is 8 bytes wide")
  end,
}

local pipe = assert(io.popen(arg[1]))
for line in pipe:lines() do
  local words = {}
  for word in line:gmatch("%S+") do words[#words + 1] = word end
  compare[words[1]](words[2], words[3], words[4], words[5])
  found[words[1]] = found[words[1]] + 1
end
pipe:close()

-- Every constant, struct and function of the headers.
local headers = {}
for i = 2, #arg do
  local file = assert(io.open(arg[i], "rb"))
  headers[#headers + 1] = file:read("*a"):gsub("/%*.-%*/", " ")
  file:close()
end
local text = table.concat(headers, "\n")
local constants, structs, functions = 0, 0, 0
for name in text:gmatch("WEIR_([%u%d_]+) = %-?%d") do
  constants = constants + 1
  check.that(weir[name], name .. " is missing")
end
for _ in text:gmatch("typedef struct weir_%w+[%w_]* {") do structs = structs + 1 end
for name in text:gmatch("WEIR_API[^;]-[ *](weir_[%w_]+)%(") do
  functions = functions + 1
  check.that(library[name] ~= nil, name .. " is missing")
end
check.that(constants > 50 and found.constant >= constants, "constants")
check.equal(found.struct, structs, "structs")
check.that(functions > 80, "functions")
check.equal(weir.version_number(), weir.VERSION_MAJOR * 1000000 + weir.VERSION_MINOR * 1000 +
  weir.VERSION_PATCH, "the library's version and the declarations'")
check.done("declarations_test")
