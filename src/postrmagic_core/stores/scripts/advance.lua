-- keys: all names of the number, the newest first. args: the number, milliseconds to keep it.
local number = tonumber(arg(1))
for i = 1, #KEYS do
  local stored = whole(get(i))
  if stored and stored >= number then
    return {0}
  end
end
put(1, text(number), tonumber(arg(2)))
return {1}
