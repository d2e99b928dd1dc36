-- Enqueue jobs whose ids are not known. ARGV: 11 for each job: id, queue, priority, task, retries, due (0: now),
-- milliseconds to keep it after its end, payload, headers, unique scope and key (or empty), milliseconds of a window.
-- Answers the ids that were not enqueued and the holders of their keys, in turn.
local WIDTH = 11
local taken, fresh, keys = {}, {}, {}
-- First everything is read, and what could be refused is written: after that nothing can fail.
for i = 2, #ARGV, WIDTH do
  local id, queue, unique = ARGV[i], ARGV[i + 1], ARGV[i + 9]
  if not fresh[id] and redis.call('HEXISTS', prefix .. 'job:' .. id, 'state') == 0 then
    local key = unique ~= '' and string.sub(unique, 2)
    local other = key and (keys[key] or holder(key))
    if other and other ~= id then
      taken[#taken + 1] = id
      taken[#taken + 1] = other
    else
      fresh[id] = i
      if key then
        keys[key] = id
      end
    end
  end
end
local queues = {}
for id, i in pairs(fresh) do
  local queue, due = ARGV[i + 1], ARGV[i + 5]
  add(waiting(queue, ARGV[i + 2]), due == '0' and now_text or due, id)
  queues[queue] = queues[queue] or tonumber(due) < now + SWEEP
end
for queue in pairs(queues) do
  redis.call('SADD', prefix .. 'queues', queue)
end
for key, list in pairs(come) do
  for first = 1, #list, STEP do
    redis.call('ZADD', key, unpack(list, first, math.min(first + STEP - 1, #list)))
  end
end
for id, i in pairs(fresh) do
  local due, headers, unique = ARGV[i + 5], ARGV[i + 8], ARGV[i + 9]
  redis.call(
    'HSET', prefix .. 'job:' .. id, 'state', 'queued', 'queue', ARGV[i + 1], 'priority', ARGV[i + 2],
    'task', ARGV[i + 3], 'retries', ARGV[i + 4], 'due', due == '0' and now_text or due, 'keep', ARGV[i + 6],
    'payload', ARGV[i + 7], 'created', now_text
  )
  if headers ~= '' then
    redis.call('HSET', prefix .. 'job:' .. id, 'headers', headers)
  end
  if unique ~= '' then
    local scope, key = string.sub(unique, 1, 1), prefix .. 'unique:' .. string.sub(unique, 2)
    redis.call('HSET', prefix .. 'job:' .. id, 'unique', unique)
    if scope == 'w' then
      redis.call('SET', key, scope .. id, 'PX', ARGV[i + 10])
    else
      redis.call('SET', key, scope .. id)
    end
  end
end
for queue, soon in pairs(queues) do
  if soon then
    ring(queue)
  end
end
return taken
