-- keys: the entry, then its tags. args: milliseconds a new generation lives.
local answer = {get(1)}
for i = 2, #KEYS do
  answer[i] = whole(get(i))
  if not answer[i] then
    answer[i] = now
    put(i, text(now), tonumber(arg(1)))
  end
end
return answer
