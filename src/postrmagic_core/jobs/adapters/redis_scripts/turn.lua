-- Record how deliveries ended, then claim what is due. ARGV: microseconds of a lease; the number of settlements, and for
-- each: id, fence, state, microseconds of delay, the number of words that follow, and these: names and values of fields;
-- then, if anything is wanted: worker, 1 if it is idle, how many, the number of queues, the queues, and the ids it holds.
-- Answers: 1 or 0 for each settlement; the claims, ten words each; microseconds until something may be due, where
-- nothing was claimed (-1: never); keys and ids that could not be believed.
local lease_end = text(now + tonumber(ARGV[2]))
local at = 4

local function again(job, state, delay, ...)
  local due = text(now + delay)
  redis.call('HSET', job.key, 'state', state, 'due', due, ...)
  add(waiting(job.queue, job.priority), due, job.id)
  if delay < SWEEP then
    ring(job.queue)
  end
end

local function settle(id, fence, state, delay, first, last)
  local job = load(id)
  if not (job and job.sound and job.state == 'running' and text(job.fence) == fence) then
    return 0
  end
  remove(running(job.queue, job.priority), id)
  if job.deliveries > 1 then
    redis.call('HDEL', job.key, 'reason', 'error', 'fingerprint')
  end
  if job.cancelling and (state == 'queued' or state == 'retrying') then
    finish(job, 'cancelled')
  elseif state == 'queued' then
    again(job, job.deliveries > 1 and 'retrying' or 'queued', 0, 'deliveries', text(job.deliveries - 1))
  elseif state == 'retrying' then
    again(job, state, delay, unpack(ARGV, first, last))
  else
    finish(job, state, unpack(ARGV, first, last))
  end
  return 1
end

local owned = {}
for number = 1, tonumber(ARGV[3]) do
  local words = tonumber(ARGV[at + 4])
  owned[number] = settle(ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), at + 5, at + 4 + words)
  at = at + 5 + words
end
flush()
if not ARGV[at] then
  return {owned, {}, -1, complaints}
end

local worker, idle, free = ARGV[at], ARGV[at + 1] == '1', tonumber(ARGV[at + 2])
local queues, held, held_count = {}, {}, 0
at = at + 3
for i = at + 1, at + tonumber(ARGV[at]) do
  queues[#queues + 1] = ARGV[i]
end
for i = at + 1 + #queues, #ARGV do
  held[ARGV[i]] = true
  held_count = held_count + 1
end

-- The ids in a sorted set whose time has come, the first ones; their scores if asked for.
local function due_in(key, ...)
  return try('ZRANGEBYSCORE', key, '-inf', now_text, ...) or {}
end

-- One more than wanted: whether the next would run alone is to be known.
local most = free + 1

-- What is due in a queue, in the order of delivery: {id, priority, abandoned}; at most as many as are wanted.
local function due(queue)
  local list = {}
  local function take(id, priority, abandoned)
    if not held[id] then
      list[#list + 1] = {id, priority, abandoned, queue}
    end
  end
  for priority = 0, 2 do
    local lost = due_in(running(queue, priority), 'WITHSCORES', 'LIMIT', 0, most + held_count)
    if #lost == 0 then
      for _, id in ipairs(due_in(waiting(queue, priority), 'LIMIT', 0, most + held_count)) do
        take(id, priority, false)
      end
    else
      local calm = due_in(waiting(queue, priority), 'WITHSCORES', 'LIMIT', 0, most + held_count)
      local i, j = 1, 1
      while i < #lost or j < #calm do
        local a, b = tonumber(lost[i + 1] or 'inf'), tonumber(calm[j + 1] or 'inf')
        if j > #calm or a < b or (a == b and lost[i] < calm[j]) then
          take(lost[i], priority, true)
          i = i + 2
        else
          take(calm[j], priority, false)
          j = j + 2
        end
      end
    end
    if #list >= most then
      break
    end
  end
  return list
end

-- From each queue one in turn, as policy.shared has it.
local function shared()
  local lists, longest, all = {}, 0, {}
  for i, queue in ipairs(queues) do
    lists[i] = due(queue)
    longest = math.max(longest, #lists[i])
  end
  if #lists == 1 then
    all = lists[1]
  else
    for place = 1, longest do
      for _, list in ipairs(lists) do
        all[#all + 1] = list[place]
      end
    end
  end
  return all
end

local claims, alone = {}, false

local function claim(job, queue, priority, abandoned)
  local fence, attempt = text(job.fence + 1), text(job.deliveries + 1)
  redis.call(
    'HSET', job.key, 'state', 'running', 'deliveries', attempt, 'fence', fence, 'worker', worker, 'started', now_text
  )
  if job.unique and string.sub(job.unique, 1, 1) == 's' then
    release(job)
  end
  if not abandoned then
    remove(waiting(queue, priority), job.id)
  end
  add(running(queue, priority), lease_end, job.id)
  local n = #claims
  claims[n + 1], claims[n + 2], claims[n + 3], claims[n + 4] = job.id, queue, job.task, text(job.retries)
  claims[n + 5], claims[n + 6], claims[n + 7] = job.more[11] or '', fence, attempt
  claims[n + 8], claims[n + 9] = job.more[12] or '', alone and 1 or 0
  -- Of what was abandoned it is not known when it might have been taken over.
  local due = not abandoned and whole(job.more[13])
  claims[n + 10] = due and math.max(0, now - due) or -1
end

-- What the sorted set says of a job, the job must say too; who lies is no longer delivered.
local WAITS, RUNS = {queued = true, retrying = true}, {running = true}
local function believed(job, id, queue, set, abandoned)
  local named = string.find(id, '^[\33-\126]+$')
  if named and job and job.sound and (abandoned and RUNS or WAITS)[job.state] then
    job.queue = queue
    return true
  end
  complaints[#complaints + 1] = id
  remove(set, id)
  if named and job and not job.sound then
    job.queue = queue
    finish(job, 'dead', 'reason', 'undecodable', 'queue', queue)
  end
  return false
end

-- policy.choose, candidate by candidate: poison is buried; the delivery before that runs alone, in an idle process,
-- and until one is, nothing behind it is taken.
local taken, blocked = 0, false
for place, found in ipairs(shared()) do
  if place > most then
    break
  end
  local id, priority, abandoned, queue = found[1], found[2], found[3], found[4]
  local set = abandoned and running(queue, priority) or waiting(queue, priority)
  local closed = blocked or alone or taken == free
  -- Behind the last one that is taken only poison matters, which is never among those that wait.
  if abandoned or not closed then
    local job = load(id, 'payload', 'headers', 'due')
    if not believed(job, id, queue, set, abandoned) then
      -- dropped
    elseif abandoned and job.cancelling then
      remove(set, id)
      finish(job, 'cancelled', 'fence', text(job.fence + 1))
    elseif abandoned and job.deliveries > job.retries then
      remove(set, id)
      finish(job, 'dead', 'reason', 'poison', 'fence', text(job.fence + 1))
    elseif not closed then
      if abandoned and job.deliveries == job.retries then
        alone = taken == 0 and idle
        blocked = not alone
      end
      if not blocked then
        claim(job, queue, priority, abandoned)
        taken = taken + 1
      end
    end
  end
end
flush()

-- The least score of what waits or runs in a queue.
local function soonest(queue)
  local least = math.huge
  for priority = 0, 2 do
    for _, key in ipairs({waiting(queue, priority), running(queue, priority)}) do
      local head = try('ZRANGE', key, 0, 0, 'WITHSCORES')
      if head and head[2] then
        least = math.min(least, tonumber(head[2]))
      end
    end
  end
  return least
end

local next_due = math.huge
for _, queue in ipairs(queues) do
  -- Who has taken all that he could, and leaves some behind, wakes the next.
  if taken == 0 then
    next_due = math.min(next_due, soonest(queue))
  elseif (taken == free or alone) and soonest(queue) <= now then
    ring(queue)
  end
end
return {owned, claims, next_due == math.huge and -1 or math.max(0, next_due - now), complaints}
