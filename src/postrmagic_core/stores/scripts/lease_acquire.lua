-- keys: the lease and its fence. args: the owner's token, milliseconds to hold.
local held, owner, ttl_ms = get(1), arg(1), tonumber(arg(2))
local now_ms = math.floor(now / 1000)
local fence = math.max(tonumber(get(2) or '0') + 1, now)
if held then
  local number, ends, from = string.match(held, '^(%d+) (%d+) ()')
  if string.sub(held, from) ~= owner then
    return {0, math.max(tonumber(ends) - now_ms, 1)}
  end
  fence = tonumber(number)
end
put(1, text(fence) .. ' ' .. text(now_ms + ttl_ms) .. ' ' .. owner, ttl_ms)
put(2, text(fence), math.max(86400000, 4 * ttl_ms))
return {1, fence}
