-- Every script's text starts with this. KEYS[1] is what all keys begin with, '{namespace}:jobs:': the braces put them
-- into one slot, so that a script may reach those that it learns of while it runs. ARGV[1] is the time in microseconds,
-- or empty for the server's own, which is the only clock that decides anything; a test injects it.
--
--   job:<id>                      hash    everything about one job, absent fields being empty or 0
--   waiting:<priority>:<queue>    zset    id by the microsecond at which it is due
--   running:<priority>:<queue>    zset    id by the microsecond at which its lease ends
--   letters:<queue>               zset    id of a failed or dead job by the microsecond of its end
--   ended:<queue>                 zset    id of a succeeded or cancelled job by the microsecond until which it is known
--   unique:<key>                  string  scope (s until_start, d until_done, w window) and id of the holder
--   bell:<queue>                  list    at most one token, taken by one of the listeners
--   queues                        set     the names of all queues there ever were
--
-- A sorted set delivers by due time, then by id, which are UUIDv7; the due ones are always its beginning, whether ten or
-- a million wait behind them, and a delay is nothing but a later score.
local prefix = KEYS[1]
local now
if ARGV[1] ~= '' then
  now = tonumber(ARGV[1])
else
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- Workers look at least once a second, and sleep no longer than until what is due next.
local SWEEP = 1000000
-- Ids forgotten in one go, and arguments given to one command: Lua's stack holds some 8000.
local STEP = 1000

local now_text = text(now)

-- What somebody else put in the place of our data is told to the caller and else left alone: an error would end the
-- script half done.
local complaints = {}
local function try(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    complaints[#complaints + 1] = key
    return nil
  end
  return reply
end

local function waiting(queue, priority)
  return prefix .. 'waiting:' .. priority .. ':' .. queue
end

local function running(queue, priority)
  return prefix .. 'running:' .. priority .. ':' .. queue
end

-- Members to be taken out of sorted sets and put into them: many together, by flush(). `kept`: the sets among them whose
-- members are forgotten in time.
local gone, come, kept = {}, {}, {}

local function remove(key, id)
  local list = gone[key]
  if list then
    list[#list + 1] = id
  else
    gone[key] = {id}
  end
end

-- `score`: digits.
local function add(key, score, id)
  local list = come[key]
  if not list then
    list = {}
    come[key] = list
  end
  list[#list + 1] = score
  list[#list + 1] = id
end

local function many(command, key, list)
  for first = 1, #list, STEP do
    try(command, key, unpack(list, first, math.min(first + STEP - 1, #list)))
  end
end

local function flush()
  for key, list in pairs(gone) do
    many('ZREM', key, list)
  end
  for key, list in pairs(come) do
    many('ZADD', key, list)
  end
  for key in pairs(kept) do
    local stale = try('ZRANGEBYSCORE', key, '-inf', now_text, 'LIMIT', 0, STEP)
    if stale and stale[1] then
      many('ZREM', key, stale)
    end
  end
  gone, come, kept = {}, {}, {}
end

-- Wake one listener, if none is about to wake already.
local function ring(queue)
  local bell = prefix .. 'bell:' .. queue
  if try('LLEN', bell) == 0 then
    try('LPUSH', bell, '1')
  end
end

-- The job, with more of its fields if they are named; nil if there is none, or something that is no job. Who its worker
-- is, and whether somebody cancelled it, means something only while it runs.
-- `sound` says whether what is written there can have been written by put.
local function load(id, ...)
  local key = prefix .. 'job:' .. id
  local f = try(
    'HMGET', key, 'state', 'queue', 'priority', 'task', 'retries', 'deliveries', 'fence', 'keep', 'unique',
    'cancelling', ...
  )
  if not f or not f[1] then
    return nil
  end
  local job = {
    id = id, key = key, state = f[1], queue = f[2] or '', priority = f[3] or '', task = f[4] or '',
    retries = whole(f[5]), deliveries = whole(f[6] or '0'), fence = whole(f[7] or '0'), keep = whole(f[8]),
    unique = f[9], cancelling = f[10], more = f,
  }
  job.sound = job.retries and job.deliveries and job.fence and job.keep
    and string.find(job.priority, '^[012]$') and string.find(job.task, '^[\33-\126]+$')
  return job
end

-- Give back the key that the job holds; a window ends by itself.
local function release(job)
  if job.unique and string.sub(job.unique, 1, 1) ~= 'w' then
    local key = prefix .. 'unique:' .. string.sub(job.unique, 2)
    if try('GET', key) == string.sub(job.unique, 1, 1) .. job.id then
      try('DEL', key)
    end
  end
end

-- Who holds a unique key against others; nil if it is free, or its holder is unknown or needs it no more.
local function holder(key)
  local value = try('GET', prefix .. 'unique:' .. key)
  if not value then
    return nil
  end
  local scope, id = string.sub(value, 1, 1), string.sub(value, 2)
  if scope ~= 'w' then
    local state = try('HGET', prefix .. 'job:' .. id, 'state')
    if state ~= 'queued' and state ~= 'running' and state ~= 'retrying' then
      return nil
    end
  end
  return id
end

-- The job has ended: dead letters stay, the others are known until their time to be kept is over. The names and values
-- of further fields follow.
local function finish(job, state, ...)
  redis.call('HSET', job.key, 'state', state, 'ended', now_text, ...)
  release(job)
  if state == 'failed' or state == 'dead' then
    add(prefix .. 'letters:' .. job.queue, now_text, job.id)
  elseif job.keep and job.keep > 0 then
    redis.call('PEXPIRE', job.key, text(job.keep))
    local key = prefix .. 'ended:' .. job.queue
    kept[key] = true
    add(key, text(now + job.keep * 1000), job.id)
  else
    redis.call('DEL', job.key)
  end
end
