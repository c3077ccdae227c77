"""C++ code from .proto files, made by Debian's protoc and grpc_cpp_plugin."""

def _generate(name, srcs, protos, flags, suffix):
    """Runs protoc on `srcs`; gives the headers and the sources it makes."""
    stems = [src[:-len(".proto")] for src in srcs]
    hdrs = [stem + suffix + ".h" for stem in stems]
    ccs = [stem + suffix + ".cc" for stem in stems]
    native.genrule(
        name = name + "_gen",
        srcs = protos,
        outs = hdrs + ccs,
        cmd = "/usr/bin/protoc -I. -I/usr/include {} {}".format(
            flags,
            " ".join(["{}/{}".format(native.package_name(), src) for src in srcs]),
        ),
        message = "Generating C++ from",
    )
    return hdrs, ccs

def cc_proto_gen(name, srcs, deps = [], visibility = None):
    """Generates and compiles the messages of `srcs`.

    Args:
      name: a cc_library; `name`_protos is the filegroup of the sources.
      srcs: .proto files of this package, imported by their path from the root.
      deps: other cc_proto_gen targets whose files these import, as "//pkg:name".
      visibility: of the library and of the filegroup.
    """
    native.filegroup(
        name = name + "_protos",
        srcs = srcs + [dep + "_protos" for dep in deps],
        visibility = visibility,
    )
    hdrs, ccs = _generate(name, srcs, [":" + name + "_protos"], "--cpp_out=$(GENDIR)", ".pb")
    native.cc_library(
        name = name,
        srcs = ccs,
        hdrs = hdrs,
        copts = ["-w"],
        visibility = visibility,
        deps = deps + ["//third_party/system:protobuf"],
    )

def cc_grpc_gen(name, srcs, messages, visibility = None):
    """Generates and compiles the gRPC stubs of the services in `srcs`.

    Args:
      name: a cc_library, with the messages among what it exports.
      srcs: .proto files of this package.
      messages: the cc_proto_gen target of the same files, as ":name".
      visibility: of the library.
    """
    hdrs, ccs = _generate(
        name,
        srcs,
        [messages + "_protos"],
        "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=$(GENDIR)",
        ".grpc.pb",
    )
    native.cc_library(
        name = name,
        srcs = ccs,
        hdrs = hdrs,
        copts = ["-w"],
        visibility = visibility,
        deps = [
            messages,
            "//third_party/system:grpc",
        ],
    )
