-- keys: the list of names, the process's row, what has ended. args: its name; how its row begins, how what has ended
-- begins (empty: there is none); the new sums; the number of its last telling; microseconds for which it must have been
-- silent; milliseconds for which a late telling is refused.
local index, line = get(1) or '', arg(1) .. '\n'
local row, ended = get(2), get(3)
local place = string.find(index, line, 1, true)
if not place then
  return {0}
end
local function begins(value, expected)
  return string.sub(value, 1, #expected) == expected
end
if arg(2) == '' then
  if row then
    return {0}
  end
else
  local seen = whole(string.match(arg(2), '^([^ ]*)'))
  if not row or not begins(row, arg(2)) or (seen and now - seen < tonumber(arg(6))) then
    return {0}
  end
  if (ended and true or false) ~= (arg(3) ~= '') or (ended and not begins(ended, arg(3))) then
    return {0}
  end
  put(3, arg(4))
  put(2, '-' .. arg(5), tonumber(arg(7)))
end
local left = string.sub(index, 1, place - 1) .. string.sub(index, place + #line)
if left ~= '' then
  put(1, left)
else
  drop(1)
end
return {1}
