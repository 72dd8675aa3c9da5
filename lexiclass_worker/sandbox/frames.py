"""Messages on a stream socket: eight bytes that say how long, then as many bytes.

File descriptors go with the eight bytes. A pipe carries eight bytes, which are a number.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Sequence
from typing import Final

_LENGTH: Final = struct.Struct("!Q")
_NUMBER: Final = struct.Struct("!q")
_MOST_DESCRIPTORS: Final = 16

# What a result comes to for some million documents. Whoever announces more wants the memory.
_LONGEST: Final = 2**28


class ChannelClosed(Exception):
    """The other side takes and sends nothing more."""


def send(channel: socket.socket, data: bytes | memoryview, descriptors: Sequence[int] = ()) -> None:
    """Send a message from a blocking socket; the other side has its own of the descriptors."""
    header = _LENGTH.pack(len(data))
    sent = socket.send_fds(channel, [header], descriptors) if descriptors else 0
    channel.sendall(header[sent:])
    channel.sendall(data)


def receive(channel: socket.socket) -> bytes | None:
    """Wait for a message on a blocking socket; None at the end of the stream.

    Raises:
        TimeoutError: If the socket has a timeout and nothing comes.
    """
    header = _read(channel, _LENGTH.size)
    return None if header is None else _read(channel, *_LENGTH.unpack(header))


def receive_with_descriptors(channel: socket.socket) -> tuple[bytes | None, list[int]]:
    """Do as :func:`receive`, and take the descriptors that come with the message."""
    first, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, _MOST_DESCRIPTORS)
    rest = _read(channel, _LENGTH.size - len(first)) if first else None
    if rest is None:
        return None, descriptors
    return _read(channel, *_LENGTH.unpack(first + rest)), descriptors


def write_number(pipe: int, number: int) -> None:
    """Write a number to a pipe.

    Raises:
        BrokenPipeError: If nobody will read it.
    """
    os.write(pipe, _NUMBER.pack(number))


def read_number(pipe: int) -> int | None:
    """Wait for a number from a pipe; None at its end."""
    data = os.read(pipe, _NUMBER.size)
    return int(_NUMBER.unpack(data)[0]) if len(data) == _NUMBER.size else None


async def send_async(
    channel: socket.socket, data: bytes | memoryview, descriptors: Sequence[int] = ()
) -> None:
    """Send a message from a non-blocking socket, on which nothing else is on its way.

    Raises:
        ChannelClosed: If the other side is gone.
    """
    loop = asyncio.get_running_loop()
    header = _LENGTH.pack(len(data))
    try:
        sent = socket.send_fds(channel, [header], descriptors) if descriptors else 0
        await loop.sock_sendall(channel, header[sent:])
        await loop.sock_sendall(channel, data)
    except ConnectionError as error:
        raise ChannelClosed from error


async def receive_async(channel: socket.socket) -> bytearray:
    """Wait for a message on a non-blocking socket.

    Raises:
        ChannelClosed: At the end of the stream, or if a message is longer than any can be.
    """
    header = await _read_async(channel, _LENGTH.size)
    (size,) = _LENGTH.unpack(header)
    if size > _LONGEST:
        raise ChannelClosed(f"the other side announces {size} bytes")
    return await _read_async(channel, size)


def _read(channel: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        received = channel.recv_into(view)
        if received == 0:
            return None
        view = view[received:]
    return bytes(data)


async def _read_async(channel: socket.socket, size: int) -> bytearray:
    loop = asyncio.get_running_loop()
    data = bytearray(size)
    view = memoryview(data)
    while view:
        try:
            received = await loop.sock_recv_into(channel, view)
        except ConnectionError as error:
            raise ChannelClosed from error
        if received == 0:
            raise ChannelClosed
        view = view[received:]
    return data
