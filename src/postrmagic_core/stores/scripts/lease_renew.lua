-- keys: the lease. args: the owner's token, milliseconds from now.
local held = get(1)
if not held then
  return {0}
end
local number, from = string.match(held, '^(%d+) %d+ ()')
if string.sub(held, from) ~= arg(1) then
  return {0}
end
local ttl_ms = tonumber(arg(2))
put(1, number .. ' ' .. text(math.floor(now / 1000) + ttl_ms) .. ' ' .. arg(1), ttl_ms)
return {1}
