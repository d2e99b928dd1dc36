-- Figures of every queue: its name, how many are due, wait for their time, run, and are dead letters.
local figures = {}
for _, queue in ipairs(try('SMEMBERS', prefix .. 'queues') or {}) do
  local due, all, runs = 0, 0, 0
  for priority = 0, 2 do
    due = due + (try('ZCOUNT', waiting(queue, priority), '-inf', now_text) or 0)
    all = all + (try('ZCARD', waiting(queue, priority)) or 0)
    runs = runs + (try('ZCARD', running(queue, priority)) or 0)
  end
  figures[#figures + 1] = {queue, due, all - due, runs, try('ZCARD', prefix .. 'letters:' .. queue) or 0}
end
return figures
