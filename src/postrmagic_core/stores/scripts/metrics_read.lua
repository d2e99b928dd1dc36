-- keys: whatever is wanted; no arguments.
local answer = {now}
for i = 1, #KEYS do
  answer[i + 1] = get(i)
end
return answer
