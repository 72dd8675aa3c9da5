"""Messages on a stream socket: eight bytes that say how long, then as many bytes."""

import asyncio
import socket
import struct
from typing import Final

_LENGTH: Final = struct.Struct("!Q")


def send(channel: socket.socket, data: bytes | memoryview) -> None:
    """Send a message from a blocking socket."""
    channel.sendall(_LENGTH.pack(len(data)))
    channel.sendall(data)


def receive(channel: socket.socket) -> bytes | None:
    """Wait for a message on a blocking socket; None at the end of the stream.

    Raises:
        TimeoutError: If the socket has a timeout and nothing comes.
    """
    header = _read(channel, _LENGTH.size)
    return None if header is None else _read(channel, *_LENGTH.unpack(header))


async def send_async(channel: socket.socket, data: bytes | memoryview) -> None:
    """Send a message from a non-blocking socket."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(channel, _LENGTH.pack(len(data)))
    await loop.sock_sendall(channel, data)


async def receive_async(channel: socket.socket) -> bytearray:
    """Wait for a message on a non-blocking socket.

    Raises:
        EOFError: At the end of the stream.
    """
    header = await _read_async(channel, _LENGTH.size)
    return await _read_async(channel, *_LENGTH.unpack(header))


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
        received = await loop.sock_recv_into(channel, view)
        if received == 0:
            raise EOFError("the other side has closed the channel")
        view = view[received:]
    return data
