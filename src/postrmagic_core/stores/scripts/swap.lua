-- keys: the row, then guards. args: expected revision (8 bytes, or empty for none), new blob, milliseconds to live, and
-- optionally the microsecond at which it ends in any case.
local current = get(1)
if not current and arg(1) ~= '' then
  return {0}
end
if current and string.sub(current, 1, 8) ~= arg(1) then
  return {2, current}
end
local ttl_ms = tonumber(arg(3))
if arg(4) then
  ttl_ms = math.min(ttl_ms, math.floor((tonumber(arg(4)) - now) / 1000))
end
if ttl_ms < 1 then
  drop(1)
  return {0}
end
put(1, arg(2), ttl_ms)
return {1}
