-- What every text that runs inside Redis starts with, in each room.
-- Digits of a whole number: tostring() would say 1.7e+15.
local function text(number)
  return string.format('%.0f', number)
end

-- The number in these digits; nil for what no script wrote: other letters, or more than a double holds.
local function whole(value)
  local number = value and #value <= 16 and string.match(value, '^%d+$') and tonumber(value)
  return number and number < 9007199254740992 and number or nil
end

