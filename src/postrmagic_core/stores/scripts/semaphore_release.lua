-- keys: the semaphore. args: the owner's token.
local lines, last, found = {}, 0, 0
for number, who in string.gmatch(get(1) or '', '(%d+) ([^\n]*)\n') do
  local ends = tonumber(number)
  if ends > now then
    if who == arg(1) then
      found = 1
    else
      last = math.max(last, ends)
      lines[#lines + 1] = text(ends) .. ' ' .. who .. '\n'
    end
  end
end
if found == 1 then
  if #lines > 0 then
    put(1, table.concat(lines), math.floor((last - now) / 1000) + 2)
  else
    drop(1)
  end
end
return {found}
