-- ARGV: the rebuild's name, the step (1, 2, …), then booking, seats and deadline ('': booked) of each claim.
-- Answers 0 where another rebuild took over or an earlier step was lost.
local building, added = unpack(redis.call('HMGET', claims, 'building', 'added'))
local step = tonumber(ARGV[2])
if building ~= ARGV[1] or tonumber(added) < step - 1 then
  return 0
end
if tonumber(added) >= step then
  return 1
end
for at = 3, #ARGV, 3 do
  local booking, list, deadline = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local seats = seats_in(list)
  drop(booking)
  take_over(seats)
  put(booking, list, seats, deadline == '' and BOOKED or deadline)
end
redis.call('HSET', claims, 'added', step)
return 1
