-- What the verbs of an event's hold table share. The rule is booking-core's HoldTable, and each verb decides as it does.
--
-- The deadlines are one string, 48 bits a seat: the ms at which the table lets it go, 0 where nobody has it, all ones
-- where it is booked. Seat n stands at number n + 1; number 0 is 1 where the table has been rebuilt.
-- The claims are a hash. Its fields:
--   'b' .. booking   its seats, rising, between commas
--   's' .. seat      whose it is, or was until somebody takes it over
--   'ready'          where the table was rebuilt: the node, ' ', its run
--   'building', 'added', 'built'   the rebuild under way, how many of its steps are done, the one that made the table
local deadlines, claims = KEYS[1], KEYS[2]
local BOOKED = '281474976710655'
local MAX_SEATS = 1000000
-- Arguments of one call: the Lua stack holds 8,000.
local AT_ONCE = 500

-- Whether the table may be trusted: it was rebuilt on this very node and neither key was lost since. A replica that took
-- over may lack the last writes.
local function is_trusted(ready)
  return ready and string.sub(ready, 1, 40) == redis.call('CLUSTER', 'MYID')
    and redis.call('BITFIELD_RO', deadlines, 'GET', 'u48', 0)[1] == 1
end

local function seats_in(list)
  local seats = {}
  for seat in string.gmatch(list, '%d+') do
    seats[#seats + 1] = tonumber(seat)
  end
  return seats
end

-- Calls `act` with the seats from..to of each portion of `seats` that one call can take.
local function portions(seats, act)
  for from = 1, #seats, AT_ONCE do
    act(from, math.min(from + AT_ONCE - 1, #seats))
  end
end

local function deadlines_of(seats)
  local all = {}
  portions(seats, function(from, to)
    local reads = {}
    for at = from, to do
      reads[#reads + 1] = 'GET'
      reads[#reads + 1] = 'u48'
      reads[#reads + 1] = '#' .. (seats[at] + 1)
    end
    for _, deadline in ipairs(redis.call('BITFIELD_RO', deadlines, unpack(reads))) do
      all[#all + 1] = deadline
    end
  end)
  return all
end

local function set_deadline(seats, deadline)
  portions(seats, function(from, to)
    local writes = {}
    for at = from, to do
      writes[#writes + 1] = 'SET'
      writes[#writes + 1] = 'u48'
      writes[#writes + 1] = '#' .. (seats[at] + 1)
      writes[#writes + 1] = deadline
    end
    redis.call('BITFIELD', deadlines, unpack(writes))
  end)
end

-- Frees seats. Their claim is to lose them, too.
local function free(seats)
  set_deadline(seats, 0)
  portions(seats, function(from, to)
    local fields = {}
    for at = from, to do
      fields[#fields + 1] = 's' .. seats[at]
    end
    redis.call('HDEL', claims, unpack(fields))
  end)
end

-- Frees all the seats of `booking`.
local function drop(booking)
  local list = redis.call('HGET', claims, 'b' .. booking)
  if list then
    free(seats_in(list))
    redis.call('HDEL', claims, 'b' .. booking)
  end
end

-- Drops whatever claim still has one of `seats`: it loses all of its own.
local function take_over(seats)
  for _, seat in ipairs(seats) do
    local owner = redis.call('HGET', claims, 's' .. seat)
    if owner then
      drop(owner)
    end
  end
end

-- Gives the seats of `list`, which nobody has, to `booking`.
local function put(booking, list, seats, deadline)
  set_deadline(seats, deadline)
  portions(seats, function(from, to)
    local fields = {}
    for at = from, to do
      fields[#fields + 1] = 's' .. seats[at]
      fields[#fields + 1] = booking
    end
    redis.call('HSET', claims, unpack(fields))
  end)
  redis.call('HSET', claims, 'b' .. booking, list)
end

-- This node and its run: another after a failover, a restart, or a move of the slot.
local function here()
  return redis.call('CLUSTER', 'MYID') .. ' ' .. string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end
