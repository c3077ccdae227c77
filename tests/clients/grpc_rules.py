"""What gRPC has beside the API, by gRPC's own Python client: what is refused, and how; large heads and messages;
deadlines; calls without a message; many streams of one connection."""
import sys
import threading

import grpc

from checks import Failed, equal, true

PUT, RANGE, WATCH = "/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range", "/etcdserverpb.Watch/Watch"
KEY_A = b"\x0a\x01a"
WATCH_A = b"\x0a\x03" + KEY_A
TOO_LARGE = "grpc: received message larger than max (3145728 vs. 2097152)"


def channel(port):
    """With a third argument, the file of an authority: over TLS."""
    address = f"127.0.0.1:{port}"
    if len(sys.argv) <= 2:
        return grpc.insecure_channel(address)
    with open(sys.argv[2], "rb") as file:
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(file.read()))


def refusal(call, *arguments, **named):
    """(code, text) of a call that fails."""
    try:
        answer = call(*arguments, timeout=10, **named)
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise Failed(f"a call was not refused but answered {answer!r}")


def refused(c):
    code = grpc.StatusCode
    value = KEY_A + b"\x12\x80\x10" + b"x" * 2048
    put = c.unary_unary(PUT)
    for kind, name in ((grpc.Compression.Gzip, "gzip"), (grpc.Compression.Deflate, "deflate")):
        equal(refusal(put, value, compression=kind),
              (code.UNIMPLEMENTED, f'grpc: Decompressor is not installed for grpc-encoding "{name}"'), name)
    equal(refusal(c.unary_unary("/etcdserverpb.KV/Fly"), b""),
          (code.UNIMPLEMENTED, "unknown method Fly for service etcdserverpb.KV"), "a method that is not there")
    equal(refusal(c.unary_unary("/sky/Fly"), b""), (code.UNIMPLEMENTED, "unknown service sky"), "a service likewise")
    equal(refusal(put, b"x" * (3 << 20)), (code.RESOURCE_EXHAUSTED, TOO_LARGE), "a message that is too large")
    equal(refusal(c.stream_unary(PUT), iter([])), (code.UNKNOWN, "EOF"), "no message")


def large(c):
    c.unary_unary(PUT)(KEY_A, timeout=10, metadata=[("x-large", "y" * 20_000)])
    value = KEY_A + b"\x12\x80\x80\x40" + b"v" * (1 << 20)
    c.unary_unary(PUT)(value, timeout=10)
    true(b"v" * (1 << 20) in c.unary_unary(RANGE)(KEY_A, timeout=10), "a large value")


def deadlines(c):
    answers = c.stream_stream(WATCH)(iter([WATCH_A]), timeout=1)
    true(next(answers), "a watch is made")
    try:
        next(answers)
    except grpc.RpcError as error:
        equal(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED, "a watch with a deadline")
    else:
        raise Failed("a watch goes on after its deadline")


def many_streams(c):
    """Two hundred on one connection, each told of one put."""
    over = threading.Event()

    def requests():
        yield WATCH_A
        over.wait(30)

    streams = [c.stream_stream(WATCH)(requests()) for _ in range(200)]
    for stream in streams:
        true(next(stream), "a watch is made")
    c.unary_unary(PUT)(KEY_A + b"\x12\x05event", timeout=10)
    for stream in streams:
        true(b"event" in next(stream), "each is told")
    over.set()
    for stream in streams:
        stream.cancel()


def main():
    with channel(int(sys.argv[1])) as c:
        for check in (refused, large, deadlines, many_streams):
            check(c)
    print("ok")


if __name__ == "__main__":
    main()
