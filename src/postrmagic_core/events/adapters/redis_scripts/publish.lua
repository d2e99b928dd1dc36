-- Append a payload. ARGV: its token, the bytes to keep, milliseconds after which a stream that nobody uses vanishes,
-- the payload.
local token, keep, idle, payload = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local stream = standing() or begun(token)
local bytes = stream.bytes + #payload + OVERHEAD
local id = text(stream.number + 1) .. '-' .. token
redis.call('XADD', key, id, 's', stream.since, 'a', stream.id, 'b', text(bytes), 'p', payload)
if bytes - stream.oldest > keep then
  -- Down to three quarters, so that it need not be done at each call; numbers without gaps let the place be searched.
  local low, high, goal = stream.first, stream.number + 1, bytes - math.floor(keep * 3 / 4)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = redis.call('XRANGE', key, text(middle), '+', 'COUNT', 1)[1]
    if (whole(named(entry[2]).b) or 0) < goal then
      low = middle + 1
    else
      high = middle
    end
  end
  redis.call('XTRIM', key, 'MINID', text(low))
end
redis.call('PEXPIRE', key, idle)
return id
