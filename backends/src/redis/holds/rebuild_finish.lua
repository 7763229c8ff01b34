-- ARGV: the rebuild's name, how many steps it had. Makes the table ready.
-- Answers 0 where another rebuild took over or a step was lost.
local found = redis.call('HMGET', claims, 'building', 'added', 'built')
if found[3] == ARGV[1] then
  return 1
end
if found[1] ~= ARGV[1] or found[2] ~= ARGV[2] then
  return 0
end
redis.call('BITFIELD', deadlines, 'SET', 'u48', 0, 1)
redis.call('HDEL', claims, 'building', 'added')
redis.call('HSET', claims, 'built', ARGV[1], 'ready', here())
return 1
