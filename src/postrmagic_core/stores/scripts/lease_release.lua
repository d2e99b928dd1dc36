-- keys: the lease. args: the owner's token.
local held = get(1)
if not held or string.sub(held, string.match(held, '^%d+ %d+ ()')) ~= arg(1) then
  return {0}
end
drop(1)
return {1}
