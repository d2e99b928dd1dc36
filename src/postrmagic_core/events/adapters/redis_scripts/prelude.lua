-- Both scripts' texts start with this. KEYS[1] is a stream, '{namespace}:events:broadcast', whose entries are a chain:
--
--   <number>-<token>   an entry's id: its number is one more than its predecessor's, its token is random
--   s                  the number that the stream began with; it was the server's time in microseconds
--   a                  the id of the predecessor
--   b                  bytes published up to and with this entry since the stream began
--   p                  the payload; the first entry of a stream has none
--
-- That an entry with somebody's id is there proves that he knows all before it. A stream that vanished begins anew,
-- with a greater number unless the clock was set back.
local key = KEYS[1]
-- What an entry takes beside its payload, roughly.
local OVERHEAD = 100

local function named(flat)
  local found = {}
  for place = 1, #(flat or {}), 2 do
    found[flat[place]] = flat[place + 1]
  end
  return found
end

-- The stream's ends; nil where there is none, or something in it was not written by these scripts.
local function standing()
  if redis.call('EXISTS', key) == 0 then
    return nil
  end
  local info = named(redis.call('XINFO', 'STREAM', key))
  local first, last = info['first-entry'], info['last-entry']
  if not first or not last then
    return nil
  end
  local oldest, newest, id = named(first[2]), named(last[2]), info['last-generated-id']
  local stream = {
    id = id,
    number = whole(string.match(id, '^%d+')),
    first = whole(string.match(first[1], '^%d+')),
    since = newest.s,
    bytes = whole(newest.b),
    start = oldest.a,
    oldest = whole(oldest.b)
  }
  local sound = stream.number and stream.first and whole(stream.since) and stream.bytes and stream.oldest
  return sound and stream.start and stream or nil
end

local function begun(token)
  redis.call('DEL', key)
  local time = redis.call('TIME')
  local since = text(time[1] * 1000000 + time[2])
  redis.call('XADD', key, since .. '-' .. token, 's', since, 'a', '0-0', 'b', '0')
  return standing()
end
