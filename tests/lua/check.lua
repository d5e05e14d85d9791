-- The least that a test needs: facts that must hold, and a sum of them.

local check = { facts = 0 }

function check.equal(actual, expected, what)
  check.facts = check.facts + 1
  if actual ~= expected then
    error(string.format("%s: %s, not %s", what or "value", tostring(actual), tostring(expected)),
      2)
  end
end

function check.that(fact, what)
  check.facts = check.facts + 1
  if not fact then error(what or "a fact does not hold", 2) end
  return fact
end

-- nil and an error of this code.
function check.fails(code, result, err)
  check.equal(result, nil, "result of a failing call")
  check.that(type(err) == "table", "an error is a table")
  check.equal(err.code, code, tostring(err))
  check.equal(tostring(err), err.message, "error as text")
  return err
end

-- A mistake of the caller's, raised.
function check.raises(call, ...)
  check.facts = check.facts + 1
  local good, problem = pcall(call, ...)
  if good then error("a mistake went unnoticed", 2) end
  return problem
end

function check.done(name)
  print(string.format("%s, %s: %d facts hold", name,
    rawget(_G, "jit") and jit.version or _VERSION, check.facts))
end

return check
