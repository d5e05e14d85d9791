-- JSON as the transcripts need it: objects keep their order, repeated names are an error, and an
-- empty object is not an empty array. Numbers are Lua's own.

local json = { null = setmetatable({}, { __tostring = function() return "null" end }) }
local object_mt, array_mt = {}, {}
local order_of = setmetatable({}, { __mode = "k" })

function json.is_object(value) return getmetatable(value) == object_mt end
function json.is_array(value) return getmetatable(value) == array_mt end

-- The names of an object, in their order.
function json.names(object) return order_of[object] or {} end

-- ---- Reading ----

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local read_value

local function fault(text, at, what)
  local _, lines = text:sub(1, at):gsub("\n", "")
  error(string.format("line %d: %s", lines + 1, what), 0)
end

local function skip(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local function utf8_of(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64,
      0x80 + code % 64)
  end
  return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64,
    0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function read_unicode(text, at)
  local code = tonumber(text:match("^%x%x%x%x", at) or fault(text, at, "a bad \\u"), 16)
  at = at + 4
  local low = code >= 0xD800 and code < 0xDC00 and text:match("^\\u(%x%x%x%x)", at)
  if low then
    return utf8_of(0x10000 + (code - 0xD800) * 1024 + tonumber(low, 16) - 0xDC00), at + 6
  end
  return utf8_of(code), at
end

local function read_string(text, at)
  local pieces = {}
  at = at + 1
  while true do
    local stop = text:find('["\\]', at) or fault(text, at, "a text without an end")
    pieces[#pieces + 1] = text:sub(at, stop - 1)
    if text:sub(stop, stop) == '"' then return table.concat(pieces), stop + 1 end
    local escape = text:sub(stop + 1, stop + 1)
    if escape == "u" then
      pieces[#pieces + 1], at = read_unicode(text, stop + 2)
    else
      pieces[#pieces + 1], at = ESCAPES[escape] or escape, stop + 2
    end
  end
end

local function read_members(text, at, close, read_member)
  at = skip(text, at + 1)
  if text:sub(at, at) == close then return at + 1 end
  while true do
    at = skip(text, read_member(at))
    local mark = text:sub(at, at)
    if mark == close then return at + 1 end
    if mark ~= "," then fault(text, at, "expected , or " .. close) end
    at = skip(text, at + 1)
  end
end

local function read_object(text, at)
  local object, order = setmetatable({}, object_mt), {}
  order_of[object] = order
  return object, read_members(text, at, "}", function(place)
    if text:sub(place, place) ~= '"' then fault(text, place, "expected a name") end
    local name, next_place = read_string(text, place)
    if object[name] ~= nil then fault(text, place, "a repeated name: " .. name) end
    next_place = skip(text, next_place)
    if text:sub(next_place, next_place) ~= ":" then fault(text, next_place, "expected :") end
    order[#order + 1] = name
    object[name], next_place = read_value(text, skip(text, next_place + 1))
    return next_place
  end)
end

local function read_array(text, at)
  local array = setmetatable({}, array_mt)
  return array, read_members(text, at, "]", function(place)
    local next_place
    array[#array + 1], next_place = read_value(text, place)
    return next_place
  end)
end

local WORDS = { ["true"] = true, ["false"] = false, null = json.null }

function read_value(text, at)
  local mark = text:sub(at, at)
  if mark == "{" then return read_object(text, at) end
  if mark == "[" then return read_array(text, at) end
  if mark == '"' then return read_string(text, at) end
  local word = text:match("^%a+", at)
  if word and WORDS[word] ~= nil then return WORDS[word], at + #word end
  local number = text:match("^-?%d[%d.eE+-]*", at)
  local value = number and tonumber(number)
  if not value then fault(text, at, "no value") end
  return value, at + #number
end

-- The value of a text; nil and what is wrong with it.
function json.decode(text)
  local good, value, at = pcall(read_value, text, skip(text, 1))
  if not good then return nil, value end
  if skip(text, at) <= #text then return nil, "more than one value" end
  return value
end

-- ---- Writing ----

local QUOTED = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(c)
    return QUOTED[c] or string.format("\\u%04x", c:byte())
  end) .. '"'
end

local function write_number(value)
  if value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    return string.format("%d", value)
  end
  return string.format("%.17g", value)
end

-- The value as compact text, nothing (nil) included.
function json.encode(value)
  if value == nil then return "nothing" end
  if type(value) == "string" then return quote(value) end
  if type(value) == "number" then return write_number(value) end
  if type(value) ~= "table" or value == json.null then return tostring(value) end
  local pieces = {}
  if json.is_array(value) then
    for i, each in ipairs(value) do pieces[i] = json.encode(each) end
    return "[" .. table.concat(pieces, ",") .. "]"
  end
  for i, name in ipairs(json.names(value)) do
    pieces[i] = quote(name) .. ":" .. json.encode(value[name])
  end
  return "{" .. table.concat(pieces, ",") .. "}"
end

return json
