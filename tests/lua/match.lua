-- Whether a value is what a transcript expects; nil and why not.

local json = require "json"

local match

local function number_of(value)
  if type(value) == "number" then return value end
  return type(value) == "string" and tonumber(value) or nil
end

local MATCHERS = {
  ["$absent"] = function(actual, operand) return (actual == nil) == (operand == true) end,
  ["$present"] = function(actual, operand) return (actual ~= nil) == (operand == true) end,
  ["$min"] = function(actual, operand)
    local number = number_of(actual)
    return number ~= nil and number >= operand
  end,
  ["$max"] = function(actual, operand)
    local number = number_of(actual)
    return number ~= nil and number <= operand
  end,
  ["$contains"] = function(actual, operand)
    return type(actual) == "string" and actual:find(operand, 1, true) ~= nil
  end,
}

local function short(value) return json.encode(value):sub(1, 200) end

local function match_matcher(actual, expected)
  for _, name in ipairs(json.names(expected)) do
    local matcher = MATCHERS[name]
    if not matcher then return nil, "no matcher is called " .. name end
    if not matcher(actual, expected[name]) then
      return nil, short(actual) .. " is not " .. name .. " " .. short(expected[name])
    end
  end
  return true
end

local function placed(place, why)
  return nil, place .. (why:find("^[.%[]") and "" or ": ") .. why
end

local function match_object(actual, expected)
  for _, name in ipairs(json.names(expected)) do
    local good, why = match(actual[name], expected[name])
    if not good then return placed("." .. name, why) end
  end
  return true
end

local function match_array(actual, expected)
  if #actual ~= #expected then
    return nil, #actual .. " elements, not " .. #expected
  end
  for i = 1, #expected do
    local good, why = match(actual[i], expected[i])
    if not good then return placed("[" .. i - 1 .. "]", why) end
  end
  return true
end

local function is_matcher(expected)
  local first = json.is_object(expected) and json.names(expected)[1]
  return first and first:sub(1, 1) == "$"
end

function match(actual, expected)
  if is_matcher(expected) then return match_matcher(actual, expected) end
  if json.is_object(actual) and json.is_object(expected) then
    return match_object(actual, expected)
  end
  if json.is_array(actual) and json.is_array(expected) then return match_array(actual, expected) end
  if actual ~= nil and actual == expected then return true end
  return nil, short(actual) .. " is not " .. short(expected)
end

return match
