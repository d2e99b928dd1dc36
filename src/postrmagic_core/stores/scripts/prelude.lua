-- Every Script's Lua text starts with this. Only here is Redis spoken to: a body reaches the declared keys by their
-- index and nothing else, so that what runs here would run on every other store too.
-- ARGV[1] is the time in microseconds, or empty for the server's own; arg(i) is the i-th argument after it.
local injected = ARGV[1] ~= ''
local now
if injected then
  now = tonumber(ARGV[1])
else
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function arg(i)
  return ARGV[i + 1]
end

local function declared(i)
  local key = KEYS[i]
  if not key then
    error({err = 'PMKEY the script touched key ' .. tostring(i) .. ' and was given ' .. #KEYS})
  end
  return key
end

-- The value of the i-th key; false where there is none.
local function get(i)
  local key = declared(i)
  if injected then
    local ends = redis.call('PEXPIRETIME', key)
    if ends >= 0 and ends <= math.floor(now / 1000) then
      return false
    end
  end
  return redis.call('GET', key)
end

-- Store value under the i-th key for ttl_ms milliseconds; nil keeps it.
local function put(i, value, ttl_ms)
  local key = declared(i)
  if not ttl_ms then
    redis.call('SET', key, value)
  elseif injected then
    redis.call('SET', key, value, 'PXAT', text(math.floor(now / 1000) + ttl_ms))
  else
    redis.call('SET', key, value, 'PX', text(ttl_ms))
  end
end

local function drop(i)
  redis.call('DEL', declared(i))
end

