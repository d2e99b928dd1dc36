-- keys: the semaphore. args: how many places, the owner's token, milliseconds to hold.
local most, owner, ttl_ms = tonumber(arg(1)), arg(2), tonumber(arg(3))
local latest = now + ttl_ms * 1000
local lines, first, last, changed, stored = {}, nil, 0, false, get(1)
for number, who in string.gmatch(stored or '', '(%d+) ([^\n]*)\n') do
  local ends = tonumber(number)
  if ends > now and who ~= owner then
    changed = changed or ends > latest
    ends = math.min(ends, latest)
    first, last = math.min(first or ends, ends), math.max(last, ends)
    lines[#lines + 1] = text(ends) .. ' ' .. who .. '\n'
  else
    changed = true
  end
end
local admitted = #lines < most
if admitted then
  last = latest
  lines[#lines + 1] = text(latest) .. ' ' .. owner .. '\n'
end
if #lines > 0 and (admitted or changed) then
  put(1, table.concat(lines), math.floor((last - now) / 1000) + 2)
elseif changed then
  drop(1)
end
if admitted then
  return {1, #lines}
end
return {0, #lines, (first or latest) - now}
