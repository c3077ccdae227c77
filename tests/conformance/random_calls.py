"""Random requests for the KV API, the same for the same seed.

Few keys, small revisions: so that requests meet, collide and overlap. Some are
wrong on purpose. Left out are unknown sort orders and targets: range.rpc has them.
"""
import random

KEYS = [b"a", b"aa", b"ab", b"b", b"b\0", b"c", b"d", b"\xff", b"zz"]
ENDS = KEYS + [b"\0", b"", b"", b"e"]


def quote(data):
    return '"' + "".join(f"\\{byte:03o}" for byte in data) + '"'


class Generator:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.revision = 1  # about where the store is

    def maybe(self, probability, text):
        return text if self.chance.random() < probability else ""

    def key(self):
        return b"" if self.chance.random() < 0.01 else self.chance.choice(KEYS)

    def some_revision(self):
        return self.chance.choice([0, -1, self.chance.randint(1, self.revision + 2), self.revision,
                                   self.chance.randint(max(1, self.revision - 20), self.revision)])

    def number(self):
        return self.chance.choice([0, 1, 2, 3, 5, -1, self.some_revision()])

    def span(self):
        end = self.maybe(0.6, f" range_end: {quote(self.chance.choice(ENDS))}")
        return f"key: {quote(self.key())}{end}"

    def range(self):
        filters = "".join(self.maybe(0.1, f" {name}_revision: {self.some_revision()}")
                          for name in ("min_mod", "max_mod", "min_create", "max_create"))
        return (self.span() + self.maybe(0.3, f" limit: {self.number()}")
                + self.maybe(0.3, f" revision: {self.some_revision()}")
                + self.maybe(0.4, f" sort_order: {self.chance.choice([0, 1, 1, 2, 2])}")
                + self.maybe(0.4, f" sort_target: {self.chance.randint(0, 4)}")
                + self.maybe(0.1, " keys_only: true") + self.maybe(0.1, " count_only: true")
                + self.maybe(0.2, " serializable: true") + filters)

    def put(self):
        value = self.maybe(0.9, f" value: {quote(bytes([self.chance.randint(48, 57)]))}")
        return (f"key: {quote(self.key())}{value}" + self.maybe(0.3, " prev_kv: true")
                + self.maybe(0.05, " ignore_value: true") + self.maybe(0.05, " ignore_lease: true")
                + self.maybe(0.02, " lease: 9"))

    def delete(self):
        return self.span() + self.maybe(0.4, " prev_kv: true")

    def compare(self):
        target, field = self.chance.choice([("VERSION", "version"), ("CREATE", "create_revision"),
                                            ("MOD", "mod_revision"), ("VALUE", "value"), ("LEASE", "lease")])
        operand = quote(bytes([self.chance.randint(48, 57)])) if field == "value" else self.number()
        end = self.maybe(0.2, f" range_end: {quote(self.chance.choice(ENDS))}")
        return (f"key: {quote(self.key())}{end} target: {target} result: {self.chance.randint(0, 3)}"
                + self.maybe(0.95, f" {field}: {operand}"))

    def operation(self, depth):
        kind = self.chance.choices(["range", "put", "delete_range", "txn"], [4, 5, 2, 2 if depth else 0])[0]
        body = {"range": self.range, "put": self.put, "delete_range": self.delete,
                "txn": lambda: self.txn(depth - 1)}[kind]()
        return f"request_{kind} {{ {body} }}"

    def txn(self, depth=2):
        parts = [f"compare {{ {self.compare()} }}" for _ in range(self.chance.choice([0, 0, 1, 1, 2]))]
        for branch in ("success", "failure"):
            parts += [f"{branch} {{ {self.operation(depth)} }}" for _ in range(self.chance.choice([0, 1, 1, 2, 3]))]
        return " ".join(parts)

    def call(self):
        kind = self.chance.choices(["KV/Range", "KV/Put", "KV/DeleteRange", "KV/Txn", "KV/Compact",
                                    "Maintenance/HashKV"], [30, 25, 10, 30, 2, 3])[0]
        if kind != "KV/Range" and self.chance.random() < 0.6:
            self.revision += 1
        body = {"KV/Range": self.range, "KV/Put": self.put, "KV/DeleteRange": self.delete, "KV/Txn": self.txn,
                "KV/Compact": lambda: f"revision: {self.some_revision()}" + self.maybe(0.5, " physical: true"),
                "Maintenance/HashKV": lambda: f"revision: {self.some_revision()}"}[kind]()
        return f"{kind} {body}"
