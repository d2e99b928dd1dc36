-- Figures of every queue: its name, how many are due, wait for their time, run, and are dead letters;
-- and the microseconds since the first of those that are due was so.
local figures = {}
for _, queue in ipairs(try('SMEMBERS', prefix .. 'queues') or {}) do
  local due, all, runs, first = 0, 0, 0, now
  for priority = 0, 2 do
    due = due + (try('ZCOUNT', waiting(queue, priority), '-inf', now_text) or 0)
    all = all + (try('ZCARD', waiting(queue, priority)) or 0)
    local head = try('ZRANGE', waiting(queue, priority), 0, 0, 'WITHSCORES')
    first = math.min(first, head and tonumber(head[2]) or now)
    runs = runs + (try('ZCARD', running(queue, priority)) or 0)
  end
  figures[#figures + 1] = {queue, due, all - due, runs, try('ZCARD', prefix .. 'letters:' .. queue) or 0, now - first}
end
return figures
