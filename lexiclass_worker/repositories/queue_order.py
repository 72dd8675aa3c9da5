"""The order in which the messages of a queue are taken, whatever order they were sent in.

Dramatiq's keys stay as they are: the queue is the list of its messages' keys, and any producer puts
new ones at its end. Beside the list there is an index of it, a sorted set: by priority, and within
one by the time of sending. It is brought up to date when messages are taken, so that nobody who
sends has to know of it; what is in it and not in the list has been taken by others and is dropped.
Without the index, or after somebody removed it, it is made anew from the list.
"""

import json
import time
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from redis import Redis

# In milliseconds, above any time of sending until the year 2109; times 1,000 it is still exact in
# the floating point numbers that Redis sorts by.
_STEP: Final = 2**42

# A long queue that nobody has looked at before is noted in pieces: a script stops all of Redis.
_PIECE: Final = 1_000


class Taken(NamedTuple):
    """A message that is now in this worker's hands.

    Attributes:
        key: What Redis calls it.
        entry: The message as it was sent, or whatever somebody put there.
        group: Which other messages it shares a limit with; None for no limit.
    """

    key: bytes
    entry: bytes
    group: str | None


class QueueOrder:
    """Takes messages in order. Every method raises RedisError when Redis does not answer.

    Args:
        client: Redis.
        namespace: Prefix of the broker's keys.
        priorities: Priority of messages that have none of their own, by actor; lower goes first.
        limited: Actors whose messages make a group for each project.
    """

    def __init__(
        self,
        client: Redis,
        namespace: str,
        *,
        priorities: Mapping[str, int],
        limited: Collection[str],
    ) -> None:
        self._script = client.register_script(_TAKE)
        self._namespace = namespace
        self._priorities = json.dumps(dict(priorities))
        self._limited = json.dumps(dict.fromkeys(limited, 1))

    def take(
        self, queue: str, worker: str, *, most: int, full: Collection[str] = ()
    ) -> list[Taken]:
        """Take the first messages of a queue, as a worker of Dramatiq does with ``fetch``.

        Args:
            queue: A queue or a delay queue.
            worker: The broker's id, in whose name they are taken.
            most: So many at most, and one of each group.
            full: Groups that have reached their limit: their messages stay where they are.
        """
        name = f"{self._namespace}:{queue}"
        keys = [
            name,
            f"{name}.msgs",
            f"{self._namespace}:__acks__.{worker}.{queue}",
            f"{name}.order",
            f"{name}.groups",
            f"{self._namespace}:__heartbeats__",
        ]
        blocked = json.dumps(dict.fromkeys(full, 1))
        offset = 0
        while True:
            answer: list[Any] = self._script(
                keys=keys,
                args=[
                    worker, int(time.time() * 1000), most, offset, _PIECE, _STEP,
                    self._priorities, self._limited, blocked,
                ],
            )  # fmt: skip
            offset, *found = answer
            if offset < 0:
                triples = zip(found[::3], found[1::3], found[2::3], strict=True)
                return [Taken(key, entry, group.decode() or None) for key, entry, group in triples]


_TAKE: Final = """
local list, messages, acks, order, groups, heartbeats = unpack(KEYS)
local worker, now, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local offset, piece, step = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local priorities, limited = cjson.decode(ARGV[7]), cjson.decode(ARGV[8])
local blocked = cjson.decode(ARGV[9])
local NOTED = -1

local function whole(value, low, high)
    if type(value) ~= 'number' or value ~= value then
        return nil
    end
    return math.max(low, math.min(high, math.floor(value)))
end

local function field(value, name)
    if type(value) == 'table' then
        return value[name]
    end
end

-- What is no message goes first: the worker makes it a dead letter.
local function note(key)
    local is_json, message = pcall(cjson.decode, redis.call('hget', messages, key) or '')
    local priority, sent = -1000, 0
    if is_json then
        local actor = field(message, 'actor_name')
        if type(actor) ~= 'string' then
            actor = ''
        end
        priority = whole(field(field(message, 'options'), 'priority'), -1000, 1000)
            or priorities[actor] or 0
        sent = whole(field(message, 'message_timestamp'), 0, step - 1) or 0
        local project = field(field(message, 'kwargs'), 'project_id')
        if limited[actor] and type(project) == 'number' then
            redis.call('hset', groups, key, actor .. '/' .. string.format('%.0f', project))
        end
    end
    redis.call('zadd', order, string.format('%.0f', priority * step + sent), key)
end

-- New messages are at the end of the list. Returns where to go on, or NOTED.
local function note_new()
    local length = redis.call('llen', list)
    if length == 0 then
        redis.call('del', order, groups)
        return NOTED
    end
    local last = redis.call('lindex', list, -1)
    if offset == 0 and redis.call('zcard', order) == length
            and redis.call('zscore', order, last) then
        return NOTED
    end
    local noted = 0
    while offset < length do
        local keys = redis.call('lrange', list, -(offset + 100), -(offset + 1))
        for _, key in ipairs(keys) do
            if not redis.call('zscore', order, key) then
                note(key)
                noted = noted + 1
            end
        end
        offset = offset + #keys
        if redis.call('zcard', order) == length then
            return NOTED
        end
        if noted >= piece then
            return offset
        end
    end
    if redis.call('zcard', order) > length then
        redis.call('del', order, groups)
        return 0
    end
    return NOTED
end

local function remove(key)
    if redis.call('lindex', list, 0) == key then
        redis.call('lpop', list)
        return true
    end
    -- What overtakes others is mostly new.
    return redis.call('lrem', list, -1, key) == 1
end

redis.call('zadd', heartbeats, now, worker)
local answer = {note_new()}
if answer[1] ~= NOTED then
    return answer
end
local taken, position = 0, 0
while taken < most do
    local keys = redis.call('zrange', order, position, position + 99)
    if #keys == 0 then
        break
    end
    for _, key in ipairs(keys) do
        local group = redis.call('hget', groups, key)
        if group and blocked[group] then
            position = position + 1
        elseif taken < most then
            redis.call('zrem', order, key)
            redis.call('hdel', groups, key)
            local entry = remove(key) and redis.call('hget', messages, key)
            if entry then
                redis.call('sadd', acks, key)
                taken = taken + 1
                answer[#answer + 1] = key
                answer[#answer + 1] = entry
                answer[#answer + 1] = group or ''
                if group then
                    blocked[group] = 1
                end
            end
        end
    end
end
return answer
"""
