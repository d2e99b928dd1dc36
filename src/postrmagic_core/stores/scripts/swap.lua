-- keys: the row, then guards. args: expected revision (8 bytes, or empty for none), new blob, milliseconds to live.
local current = get(1)
if not current and arg(1) ~= '' then
  return {0}
end
if current and string.sub(current, 1, 8) ~= arg(1) then
  return {2, current}
end
put(1, arg(2), tonumber(arg(3)))
return {1}
