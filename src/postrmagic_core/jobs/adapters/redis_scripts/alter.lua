-- Change jobs by hand. ARGV: cancel, replay or forget, and ids. Answers the ids of those that could be changed so.
local LIVE = {queued = true, retrying = true, running = true}
local changed, queues = {}, {}

local function cancel(job)
  if job.state == 'running' then
    redis.call('HSET', job.key, 'cancelling', '1')
  elseif LIVE[job.state] then
    remove(waiting(job.queue, job.priority), job.id)
    finish(job, 'cancelled')
  end
  return LIVE[job.state]
end

local function replay(job)
  if job.state ~= 'failed' and job.state ~= 'dead' and job.state ~= 'cancelled' or not job.sound then
    return false
  end
  remove(prefix .. (job.state == 'cancelled' and 'ended:' or 'letters:') .. job.queue, job.id)
  redis.call('PERSIST', job.key)
  redis.call('HDEL', job.key, 'ended', 'reason', 'error', 'fingerprint', 'result', 'progress', 'deliveries',
    'cancelling')
  redis.call('HSET', job.key, 'state', 'queued', 'due', now_text)
  if job.unique and string.sub(job.unique, 1, 1) == 'd' and not holder(string.sub(job.unique, 2)) then
    try('SET', prefix .. 'unique:' .. string.sub(job.unique, 2), 'd' .. job.id)
  end
  add(waiting(job.queue, job.priority), now_text, job.id)
  queues[job.queue] = true
  return true
end

local function forget(job)
  if LIVE[job.state] then
    return false
  end
  remove(prefix .. 'letters:' .. job.queue, job.id)
  remove(prefix .. 'ended:' .. job.queue, job.id)
  redis.call('DEL', job.key)
  return true
end

local change = ({cancel = cancel, replay = replay, forget = forget})[ARGV[2]]
for i = 3, #ARGV do
  local job = load(ARGV[i])
  if job and change(job) then
    changed[#changed + 1] = job.id
  end
end
flush()
for queue in pairs(queues) do
  ring(queue)
end
return changed
