-- ARGV: identity, now. Answers 1 if a place ended.
advance(tonumber(ARGV[2]))
local place = redis.call('HGET', state, 'p' .. ARGV[1])
return place and finish(place, 'G') or 0
