"""Which folder may know which: the arrows of docs/architecture.md."""

ROOT = ""  # strata.h, the facade for embedding

MESSAGES = "rpc/proto/"
SERVICES = ".grpc.pb.h"

# What the files of a folder may include, beside their own folder's.
MAY_INCLUDE = {
    "base": [],
    "engine": ["base/"],
    "raft": ["base/"],
    "wal": ["base/", "raft/types.h"],
    "snapshot": ["base/", "raft/types.h"],
    # Commands in the log are messages of the API: messages, not services.
    "server": ["base/", "engine/", "raft/", "wal/", "snapshot/", MESSAGES],
    ROOT: ["watch_reader.h", "base/", "engine/", "raft/", "wal/", "snapshot/",
           "server/", MESSAGES],
    "rpc": ["base/", "engine/", "raft/", "wal/", "snapshot/", "server/"],
}
# Mains and tests may see all.
SEE_ALL = ("cmd", "bench", "tests", "docs")

# Libraries of others that only some folders may know.
LIBRARIES = {
    "grpc/": ["rpc"],
    "grpcpp/": ["rpc"],
    "google/protobuf/": ["server", "rpc"],
    "absl/": ["rpc"],
    # Sockets and HTTP; HTTP/2; TLS.
    "boost/": ["rpc"],
    "nghttp2/": ["rpc"],
    "openssl/ssl.h": ["rpc"],
    # DNS.
    "ares.h": ["rpc"],
    "spdlog/": ["cmd"],
    "yaml-cpp/": ["cmd"],
    "prometheus/": ["rpc"],
    "leveldb/": ["engine"],
    "CLI/": ["cmd"],
    "nlohmann/": ["snapshot", "server", "rpc", "cmd"],
    "gtest/": [],
    "gmock/": [],
    "rapidcheck/": [],
    "benchmark/": [],
}
# Test code that lies beside what it tests.
TEST_CODE = ("_test.cc", "_suite.cc", "_suite.h", "_testing.cc", "_testing.h",
             "transcript_main.cc")

# raft decides and does nothing else: of base it knows the values, and of the
# system nothing that can do I/O, read a clock, start a thread or make chance.
PURE = ["raft"]
IMPURE_BASE = ["base/env.h", "base/loop.h", "base/timer_queue.h"]
IMPURE_SYSTEM = [
    "atomic", "chrono", "condition_variable", "cstdio", "ctime", "fcntl.h",
    "filesystem", "fstream", "future", "iostream", "mutex", "pthread.h",
    "random", "semaphore", "shared_mutex", "stdio.h", "thread", "time.h",
    "unistd.h",
]
