"""What each client library is put through: the calls are the library's, what has
to come of them is here."""
import threading
import time

PATIENCE_S = 10


class Failed(Exception):
    pass


def equal(got, expected, what):
    if got != expected:
        raise Failed(f"{what}: {got!r} where {expected!r} should be")


def true(value, what):
    if not value:
        raise Failed(what)


def eventually(condition, what, patience_s=PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {patience_s} s")
        time.sleep(0.02)


class Background(threading.Thread):
    """Runs a function beside the test; join() raises what it raised."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self.function, self.error, self.value = function, None, None
        self.start()

    def run(self):
        try:
            self.value = self.function()
        except BaseException as error:  # told by join
            self.error = error

    def end(self, what):
        self.join(PATIENCE_S)
        if self.is_alive():
            raise Failed(f"{what}: not within {PATIENCE_S} s")
        if self.error:
            raise self.error
        return self.value
