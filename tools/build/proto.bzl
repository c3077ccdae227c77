"""C++ code from .proto files, made by Debian's protoc and grpc_cpp_plugin."""

def cc_proto_gen(name, srcs, deps = [], grpc = False, visibility = None):
    """Generates and compiles the C++ of `srcs`.

    Args:
      name: a cc_library; `name`_protos is the filegroup of the sources.
      srcs: .proto files of this package, imported by their path from the root.
      deps: other cc_proto_gen targets whose files these import, as "//pkg:name".
      grpc: whether to generate the services too.
      visibility: of the library and of the filegroup.
    """
    native.filegroup(
        name = name + "_protos",
        srcs = srcs + [dep + "_protos" for dep in deps],
        visibility = visibility,
    )
    kinds = [".pb"] + ([".grpc.pb"] if grpc else [])
    stems = [src[:-len(".proto")] for src in srcs]
    hdrs = [stem + kind + ".h" for stem in stems for kind in kinds]
    ccs = [stem + kind + ".cc" for stem in stems for kind in kinds]
    flags = ["-I.", "-I/usr/include", "--cpp_out=$(GENDIR)"]
    if grpc:
        flags += ["--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin", "--grpc_out=$(GENDIR)"]
    native.genrule(
        name = name + "_gen",
        srcs = [":" + name + "_protos"],
        outs = hdrs + ccs,
        cmd = "/usr/bin/protoc {} {}".format(
            " ".join(flags),
            " ".join(["{}/{}".format(native.package_name(), src) for src in srcs]),
        ),
        message = "Generating C++ from",
    )
    native.cc_library(
        name = name,
        srcs = ccs,
        hdrs = hdrs,
        copts = ["-w"],
        visibility = visibility,
        deps = deps + ["//third_party/system:grpc" if grpc else "//third_party/system:protobuf"],
    )
