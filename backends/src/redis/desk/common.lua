-- What the verbs of an event's desk share. The rule is booking-core's DeskState, and each verb decides as it does.
--
-- The state is a hash. Its fields:
--   'latest'                     the latest moment seen, in ms: no verb decides by an earlier one
--   'last', 'due'                the rate: the last admission in ms; when the next is due, in ns after it
--   'admitted', 'came', 'left'   what is counted
--   'p' .. identity              the identity's place, 'lane:offset'
--   'v' .. place                 what the place came to: 'L' given up before any admission; else how the admission
--                                ended ('-' not, 'B' booked, 'G' given up, 'R' revoked), its last ms, ' ', its session
--   's' .. session               the session's place
-- Places are compared and stored, never reckoned with: a Lua number holds 53 bits, an offset may have 64.
local state, active, came, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

-- A whole number in digits. Lua's own text has 14 of them.
local function text(number)
  return string.format('%.0f', number)
end

-- Makes all keys as soon as there is one, each with an entry that nothing counts: while a slot moves to another node, a
-- script is refused if some of its keys are there and others are not.
local function begin()
  if redis.call('EXISTS', changes) == 0 then
    redis.call('ZADD', active, '+inf', '')
    redis.call('SETNX', came, '')
    redis.call('RPUSH', changes, '')
  end
end

-- Brings the desk to `now`, or to the latest moment it has seen, and drops the sessions that are over by then.
local function advance(now)
  local latest = tonumber(redis.call('HGET', state, 'latest') or '0')
  if now > latest then
    begin()
    redis.call('HSET', state, 'latest', text(now))
    latest = now
  end
  redis.call('ZREMRANGEBYSCORE', active, '-inf', text(latest))
  return latest
end

-- Takes a visit apart: how it ended, when it ends, its session.
local function admission(visit)
  local ended, expires, session = string.match(visit, '^(.)(%d+) (.+)$')
  return ended, tonumber(expires), session
end

-- Ends a place, and its admission if it has one. Answers 1 if that changed something.
local function finish(place, why)
  local visit = redis.call('HGET', state, 'v' .. place)
  if not visit then
    redis.call('HSET', state, 'v' .. place, 'L')
  elseif string.sub(visit, 1, 1) == '-' then
    redis.call('HSET', state, 'v' .. place, why .. string.sub(visit, 2))
    redis.call('ZREM', active, place)
  else
    return 0
  end
  if why == 'G' then
    redis.call('HINCRBY', state, 'left', 1)
  end
  redis.call('RPUSH', changes, 'E' .. why .. ' ' .. place)
  return 1
end
