-- keys: the entry, then its tags. args: milliseconds a new generation lives.
local answer = {get(1)}
for i = 2, #KEYS do
  local known = get(i)
  if not known then
    known = text(now)
    put(i, known, tonumber(arg(1)))
  end
  answer[i] = tonumber(known)
end
return answer
