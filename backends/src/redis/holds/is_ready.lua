-- Answers 1 if the table may be trusted. One that was rebuilt on another node, or before a restart of this one, is marked
-- as not ready for every verb: the last writes before may be missing.
local ready = redis.call('HGET', claims, 'ready')
if ready == here() and is_trusted(ready) then
  return 1
end
if ready then
  redis.call('HDEL', claims, 'ready')
end
return 0
