-- keys: the list of names, the process's row. args: its name, the number of this telling, the figures, the most names.
local index, row, line = get(1) or '', get(2), arg(1) .. '\n'
if string.sub(index, -1) ~= '\n' then
  index = ''
end
if row and string.sub(row, 1, 1) == '-' then
  return {0, string.sub(row, 2)}
end
if not string.find(index, line, 1, true) then
  if math.floor(#index / #line) >= tonumber(arg(4)) then
    return {2, math.floor(#index / #line)}
  end
  index = index .. line
  put(1, index)
end
put(2, text(now) .. ' ' .. arg(2) .. '\n' .. arg(3))
return {1, math.floor(#index / #line)}
