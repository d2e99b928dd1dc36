-- keys: buckets. args: for each its microseconds per call and calls at once; then, unless all are 1, the costs.
local answer, stored, costs, ahead = {1}, {}, {}, nil
for i = 1, #KEYS do
  local emission = tonumber(arg(2 * i - 1))
  local most = emission * tonumber(arg(2 * i))
  costs[i] = emission * tonumber(arg(2 * #KEYS + i) or '1')
  stored[i] = math.max((whole(get(i)) or 0) - now, 0)
  ahead = math.min(stored[i], most)
  if ahead + costs[i] > most then
    answer[1] = 0
  end
  answer[i + 1] = ahead
end
for i = 1, #KEYS do
  ahead = answer[i + 1] + costs[i] * answer[1]
  if ahead ~= stored[i] and costs[i] > 0 then
    put(i, text(now + ahead), math.floor(ahead / 1000) + 2)
  end
  answer[i + 1] = ahead
end
return answer
