-- Prolong leases. ARGV: microseconds of a lease; for each beat id, fence, and 1 and the progress, or 0 and nothing.
-- Answers the ids whose claim is lost, and those of jobs that somebody cancelled.
local ends = text(now + tonumber(ARGV[2]))
local lost, cancelled = {}, {}
for i = 3, #ARGV, 4 do
  local job = load(ARGV[i])
  if job and job.sound and job.state == 'running' and text(job.fence) == ARGV[i + 1] then
    add(running(job.queue, job.priority), ends, job.id)
    if ARGV[i + 2] == '1' then
      redis.call('HSET', job.key, 'progress', ARGV[i + 3])
    end
    if job.cancelling then
      cancelled[#cancelled + 1] = job.id
    end
  else
    lost[#lost + 1] = ARGV[i]
  end
end
flush()
return {lost, cancelled, complaints}
