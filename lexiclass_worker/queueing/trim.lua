-- Removes the oldest dead letters of a queue beyond a number, or beyond what all may take together.
-- Returns how many it has removed: a piece at a time, for Redis does nothing else meanwhile.

local dead, dead_messages = unpack(KEYS)
local most, most_bytes, piece = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local count = redis.call('zcard', dead)
local surplus = count - most
-- Sizes are looked at where their number is bounded.
if most_bytes and surplus <= 0 then
    local bytes = 0
    for rank, key in ipairs(redis.call('zrevrange', dead, 0, -1)) do
        bytes = bytes + redis.call('hstrlen', dead_messages, key)
        if bytes > most_bytes then
            surplus = count - rank + 1
            break
        end
    end
end
if surplus <= 0 then
    return 0
end
local removed = redis.call('zpopmin', dead, math.min(surplus, piece))
for i = 1, #removed, 2 do
    redis.call('hdel', dead_messages, removed[i])
end
return #removed / 2
