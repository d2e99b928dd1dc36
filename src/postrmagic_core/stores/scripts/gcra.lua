-- keys: the bucket. args: microseconds per call, calls that may come at once.
local emission, burst = tonumber(arg(1)), tonumber(arg(2))
local arrival = math.min(math.max(tonumber(get(1) or '0'), now), now + emission * burst)
local due = arrival - emission * (burst - 1)
if due > now then
  return {0, due - now}
end
local after = arrival + emission
put(1, text(after), math.floor((after - now) / 1000) + 1)
return {1, math.floor((now + emission * burst - after) / emission)}
