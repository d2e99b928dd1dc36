-- keys: rows. args, four for each: how it must begin (empty: there is none), the new blob (empty: drop the row), its
-- milliseconds to live, and the microsecond at which it ends in any case, or empty.
local answer = {0, now}
local lives = {}
local kept = true
for i = 1, #KEYS do
  local at = 4 * (i - 1)
  local expected, row = arg(at + 1), get(i)
  lives[i] = tonumber(arg(at + 3))
  if arg(at + 4) ~= '' then
    lives[i] = math.min(lives[i], math.floor((tonumber(arg(at + 4)) - now) / 1000))
  end
  if lives[i] < 1 then
    drop(i)
    row, kept = false, false
  elseif (row and true or false) ~= (expected ~= '') or (row and string.sub(row, 1, #expected) ~= expected) then
    kept = false
  end
  answer[i + 2] = row
end
if not kept then
  return answer
end
for i = 1, #KEYS do
  local blob = arg(4 * i - 2)
  if blob == '' then
    drop(i)
  else
    put(i, blob, lives[i])
  end
end
return {1, now}
