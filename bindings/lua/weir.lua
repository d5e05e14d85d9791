-- weir for LuaJIT: LLM gateway policy in the host's own process, through its FFI.
--
--   local weir = require "weir"
--   local policy = assert(weir.policy(text))
--   local engine = assert(weir.engine(policy, { state_file = "/run/weir.state" }))
--
-- What goes wrong is nil and an error { code, message, line, column, offset }; a wrong type or an
-- option that there is not is a mistake of the caller, and raised. Calls that decide take `now`
-- last; without it they read the system's clocks. See README.md.

local native = require "weir.native"

local weir = {
  version = native.version,
  version_number = native.lib.weir_version_number,
  now = native.now,
}
for name, value in pairs(native.constants) do weir[name] = value end
for _, part in ipairs { "engine", "limiting", "breaking", "balancing",
  "bookkeeping", "caching", "counting" } do
  for name, value in pairs(require("weir." .. part)) do weir[name] = value end
end
return weir
