"""The frames of a log segment, as wal/format.md has them."""


def frames(data):
    """(start, end, bytes of padding at the end) of each."""
    at = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        if length == 0:
            return
        padding = length >> 56 & 7 if length >> 63 else 0
        end = at + 8 + (length & (1 << 56) - 1) + padding
        yield at, end, padding
        at = end


def summed(data, end):
    """The offsets before `end` of bytes that count: no sum covers the padding,
    and nothing depends on it."""
    return [at for start, stop, padding in frames(data) for at in range(start, stop - padding) if at < end]
