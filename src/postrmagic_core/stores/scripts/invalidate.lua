-- keys: tags. args: milliseconds a generation lives.
local answer = {}
for i = 1, #KEYS do
  answer[i] = math.max((whole(get(i)) or 0) + 1, now)
  put(i, text(answer[i]), tonumber(arg(1)))
end
return answer
