-- Notes new messages of a queue in its index, and hands out the first ones. Arguments and answer are
-- those of lexiclass_worker.queueing.order.
--
-- The index: `places`, a hash of the keys that are in it; `turns`, a sorted set of the keys without
-- a group ("k") and of the groups ("g"), each with the place of its first message; `groups`, a
-- sorted set of "group:place:key" in the order of their letters. So a group that may not run is
-- passed over in one step, however many messages it has. A delay queue is in the order in which its
-- messages are due, without groups.
--
-- Redis does nothing else while a script runs. So this one reads no message: it asks its caller
-- where those that are new belong, and hands over their entries, up to so many bytes; larger ones
-- are left to be fetched by themselves. And it looks at no more than a piece of the list at a time,
-- however often the caller has to come back.

local list, messages, acks, heartbeats, dead, dead_messages, turns, places, groups, twice = unpack(KEYS)
local worker, now, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local offset, piece = tonumber(ARGV[4]), tonumber(ARGV[5])
local most_bytes, large, largest = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local step, due = tonumber(ARGV[9]), tonumber(ARGV[10])
local blocked = cjson.decode(ARGV[11])
local ALL_NOTED = -1
-- Entries of the index that others have removed from the list. Looking for one reads all of it.
local MOST_MISSED = 8
-- Entries of the list that are read to remove some from its midst; one is removed in any case. Redis
-- has no other way, and reads 75 a microsecond: a list of a million costs 13 ms at most.
local MOST_READ = 500000
-- Groups that are passed over at a time.
local PAGE = 100
-- Stands in the list for what is removed from it at the end.
local REMOVED = '\0removed'
-- Makes every place a number of 16 digits, whose letters have its order.
local BASE = 1001 * step

-- What the caller has read of the messages it was asked for: place and group, or no place for what
-- is to be a dead letter.
local described = {}
for i = 12, #ARGV, 3 do
    described[ARGV[i]] = {ARGV[i + 1], ARGV[i + 2]}
end

-- Key and place of the first message of a group.
local function first_of(group)
    local first = redis.call('zrangebylex', groups, '[' .. group .. ':', '(' .. group .. ';', 'limit', 0, 1)[1]
    if first then
        return string.sub(first, #group + 19), tonumber(string.sub(first, #group + 2, #group + 17)) - BASE
    end
end

local function settle(group)
    local key, place = first_of(group)
    if key then
        redis.call('zadd', turns, string.format('%.0f', place), 'g' .. group)
    else
        redis.call('zrem', turns, 'g' .. group)
    end
end

local function note(key, place, group)
    if group == '' then
        redis.call('hset', places, key, '')
        redis.call('zadd', turns, place, 'k' .. key)
    else
        local member = group .. ':' .. string.format('%016.0f', tonumber(place) + BASE) .. ':'
        redis.call('hset', places, key, member)
        redis.call('zadd', groups, 0, member .. key)
        settle(group)
    end
end

local function forget(key)
    local place = redis.call('hget', places, key)
    redis.call('hdel', places, key)
    if place == '' then
        redis.call('zrem', turns, 'k' .. key)
    elseif place then
        redis.call('zrem', groups, place .. key)
        settle(string.match(place, '^([^:]*):'))
    end
end

local function forget_all()
    redis.call('unlink', turns, places, groups, twice)
end

-- The entry; "" if it is large: the caller fetches it; nothing if there is none.
local function entry_of(key)
    if redis.call('hstrlen', messages, key) > large then
        return ''
    end
    return redis.call('hget', messages, key)
end

-- What is no message goes to the dead letters, past the index.
local function bury(key)
    local size = redis.call('hstrlen', messages, key)
    local entry = size > largest and string.format('(an entry of %.0f bytes, which are not kept)', size)
        or redis.call('hget', messages, key)
    redis.call('zadd', dead, now, key)
    redis.call('hset', dead_messages, key, entry)
    redis.call('hdel', messages, key)
end

-- New messages are at the end of the list. Returns ALL_NOTED, or where to go on and the new ones
-- whose places are asked for.
local function note_new(length)
    local num_twice = tonumber(redis.call('get', twice) or 0) or 0
    local last = redis.call('lindex', list, -1)
    if offset == 0 and redis.call('hlen', places) + num_twice == length
            and redis.call('hexists', places, last) == 1 then
        return ALL_NOTED, {}
    end
    local asked, bytes, first, looked_at, removed = {}, 0, nil, 0, 0
    local function go_on_at(position)
        if removed > 0 then
            redis.call('lrem', list, -removed, REMOVED)
        end
        return math.max(0, position - removed), asked
    end
    while offset < length do
        local keys = redis.call('lrange', list, -(offset + 100), -(offset + 1))
        for i, key in ipairs(keys) do
            if redis.call('hexists', places, key) == 0 then
                local entry = not described[key] and entry_of(key)
                if described[key] and described[key][1] ~= '' then
                    note(key, unpack(described[key]))
                elseif not entry then
                    if redis.call('hexists', messages, key) == 1 then
                        bury(key)
                    end
                    redis.call('lset', list, -(offset + #keys - i + 1), REMOVED)
                    removed = removed + 1
                else
                    first = first or offset
                    -- Of large ones too: those that are no messages are moved by the next call.
                    local size = entry == '' and redis.call('hstrlen', messages, key) or #entry
                    bytes = bytes + #key + (size > largest and 0 or size)
                    asked[#asked + 1] = key
                    asked[#asked + 1] = entry
                    if #asked >= 2 * piece or bytes >= most_bytes then
                        return go_on_at(first)
                    end
                end
            end
        end
        offset = offset + #keys
        looked_at = looked_at + #keys
        if not first and redis.call('hlen', places) + num_twice == length - removed then
            go_on_at(offset)
            return ALL_NOTED, {}
        end
        if looked_at >= piece then
            return go_on_at(first or offset)
        end
    end
    if first then
        return go_on_at(first)
    end
    go_on_at(offset)
    local too_many = redis.call('llen', list) - redis.call('hlen', places)
    if too_many < 0 then
        forget_all()
        return 0, {}
    end
    redis.call('set', twice, string.format('%.0f', too_many))
    return ALL_NOTED, {}
end

local function priority_of(key)
    local place = redis.call('hget', places, key)
    local score = place
    if place == '' then
        score = redis.call('zscore', turns, 'k' .. key)
    elseif place then
        score = tonumber(string.match(place, ':(%d+):$')) - BASE
    end
    return score and math.floor(tonumber(score) / step)
end

redis.call('zadd', heartbeats, now, worker)
local length, read = redis.call('llen', list), 0

local function remove(key, priority)
    local head = redis.call('lindex', list, 0)
    if head == key then
        redis.call('lpop', list)
        return true
    end
    read = read + length
    -- What has another priority than the oldest message has mostly overtaken it, and is new.
    local direction = priority_of(head) == priority and 1 or -1
    return redis.call('lrem', list, direction, key) == 1
end

if length > 0 then
    local go_on, asked = note_new(length)
    if go_on ~= ALL_NOTED then
        table.insert(asked, 1, go_on)
        return asked
    end
    length = redis.call('llen', list)
end
if length == 0 then
    forget_all()
    return {ALL_NOTED}
end
local answer = {ALL_NOTED}
local taken, position, bytes, missed, is_early = 0, 0, 0, 0, false
-- The first one in order that may run, with its place. Groups that are full are passed over, many at
-- a time.
local function next_in_order()
    local size = 1
    while true do
        local page = redis.call('zrange', turns, position, position + size - 1, 'withscores')
        for i = 1, #page, 2 do
            local member = page[i]
            if string.sub(member, 1, 1) ~= 'g' or not blocked[string.sub(member, 2)] then
                return member, tonumber(page[i + 1])
            end
            position = position + 1
        end
        if #page < 2 * size then
            return nil
        end
        size = PAGE
    end
end

while taken < most and bytes < most_bytes and read < MOST_READ do
    local member, score = next_in_order()
    is_early = due and member and score > due
    if not member or is_early then
        break
    end
    local key, group = string.sub(member, 2), ''
    if string.sub(member, 1, 1) == 'g' then
        group = key
        key = first_of(group)
    end
    if not key then
        redis.call('zrem', turns, member)
    else
        local priority = priority_of(key)
        forget(key)
        if not remove(key, priority) then
            missed = missed + 1
            if missed == MOST_MISSED then
                break
            end
        else
            local entry = entry_of(key)
            if entry then
                redis.call('sadd', acks, key)
                taken = taken + 1
                bytes = bytes + #entry
                answer[#answer + 1] = key
                answer[#answer + 1] = entry
                answer[#answer + 1] = group
                if group ~= '' then
                    blocked[group] = 1
                end
            end
        end
    end
end
-- Somebody has removed part of the index, or much of the list.
local is_lost = taken == 0 and position == 0 and not is_early and redis.call('llen', list) > 0
if missed == MOST_MISSED or most > 0 and is_lost then
    forget_all()
    if taken == 0 then
        return {0}
    end
end
return answer
