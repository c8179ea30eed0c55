-- glob.lua - file name patterns as in the shell: * any characters, ? one, [a-z] one of these, [!a-z] none of these.
local glob = {}

local STAR = {}

-- UTF-8 characters; a byte that belongs to none counts as one, so that every name can be matched.
local function characters(s)
  local list = {}
  for c in s:gmatch "[^\x80-\xbf]?[\x80-\xbf]*" do
    if c ~= "" then list[#list + 1] = c end
  end
  return list
end

-- The set that begins at chars[at], a "[": a function of a character, and where its "]" is; nil if there is none.
local function parse_set(chars, at)
  local first = at + 1
  local negated = chars[first] == "!" or chars[first] == "^"
  if negated then first = first + 1 end
  local last = first + 1                         -- a "]" in front is an ordinary member
  while chars[last] and chars[last] ~= "]" do last = last + 1 end
  if not chars[last] then return nil end
  local ranges, i = {}, first
  while i < last do
    local to = chars[i + 1] == "-" and i + 2 < last and i + 2 or i
    ranges[#ranges + 1] = { chars[i], chars[to] }
    i = to + 1
  end
  return function (c)
    for _, range in ipairs(ranges) do
      if range[1] <= c and c <= range[2] then return not negated end
    end
    return negated
  end, last
end

local function any() return true end

local function parse(chars)
  local atoms, i = {}, 1
  while chars[i] do
    local atom, last = chars[i], i
    if atom == "*" then atom = STAR
    elseif atom == "?" then atom = any
    elseif atom == "[" then
      local set, closing = parse_set(chars, i)
      if set then atom, last = set, closing end
    end
    atoms[#atoms + 1] = atom
    i = last + 1
  end
  return atoms
end

local function fits(atom, c) return atom == c or type(atom) == "function" and atom(c) end

-- Only the last star met can need to take more: what an earlier one could take, the last can as well.
local function match(atoms, chars)
  local i, j, star, taken = 1, 1, nil, nil
  while j <= #chars do
    if atoms[i] == STAR then
      star, taken, i = i, j, i + 1
    elseif fits(atoms[i], chars[j]) then
      i, j = i + 1, j + 1
    elseif star then
      taken = taken + 1
      i, j = star + 1, taken
    else
      return false
    end
  end
  while atoms[i] == STAR do i = i + 1 end
  return atoms[i] == nil
end

-- glob.is_pattern(s): whether s holds *, ? or [
function glob.is_pattern(s) return s:find "[*?[]" ~= nil end

-- glob.matcher(pattern) -> function (name) -> boolean, for one name, without "/".
-- Names that begin with a dot match only patterns that do.
function glob.matcher(pattern)
  local atoms = parse(characters(pattern))
  local dotted = pattern:sub(1, 1) == "."
  return function (name)
    if name:sub(1, 1) == "." and not dotted then return false end
    return match(atoms, characters(name))
  end
end

return glob
