-- keys: the bucket. args: microseconds per call, calls that may come at once.
local emission, burst = tonumber(arg(1)), tonumber(arg(2))
local stored, full = tonumber(get(1) or '0'), now + emission * burst
local due = math.min(math.max(stored, now), full) - emission * (burst - 1)
if due > now then
  if stored > full then
    put(1, text(full), math.floor((full - now) / 1000) + 1)
  end
  return {0, due - now}
end
local after = math.max(stored, now) + emission
put(1, text(after), math.floor((after - now) / 1000) + 1)
return {1, math.floor((full - after) / emission)}
