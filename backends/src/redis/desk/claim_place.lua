-- ARGV: identity, place, instead_of or ''. Answers: the place that stands, 1 if it is new.
local identity, place, instead_of = ARGV[1], ARGV[2], ARGV[3]

local function may_be_replaced(old)
  local visit = redis.call('HGET', state, 'v' .. old)
  if not visit or visit == 'L' then
    return true
  end
  local ended, expires = admission(visit)
  return ended == 'G' or ended == '-' and expires <= tonumber(redis.call('HGET', state, 'latest') or '0')
end

local old = redis.call('HGET', state, 'p' .. identity)
if old and (old ~= instead_of or old == place or not may_be_replaced(old)) then
  return { old, '0' }
end
begin()
redis.call('HSET', state, 'p' .. identity, place)
return { place, '1' }
