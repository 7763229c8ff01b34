-- ARGV: the rebuild's name. Empties the table, which grants nothing until that rebuild is done.
redis.call('DEL', deadlines, claims)
redis.call('HSET', claims, 'building', ARGV[1], 'added', 0)
return 1
