"""clang-tidy over all C++ that some targets are made of, file by file.

Each file is an action of its own, so Bazel runs them side by side and only
again when the file, a header or .clang-tidy changed.
"""

TidyInfo = provider(
    doc = "What clang-tidy said.",
    fields = {"reports": "a depset of files, each empty if there was no finding"},
)

def _tidy_file(ctx, source, compilation):
    report = ctx.actions.declare_file(source.basename + ".tidy")
    flags = ["-std=c++20"]
    for folder in compilation.quote_includes.to_list():
        flags += ["-iquote", folder]
    for folder in compilation.system_includes.to_list() + compilation.includes.to_list():
        flags += ["-isystem", folder]
    flags += ["-D" + define for define in compilation.defines.to_list()]
    ctx.actions.run(
        executable = ctx.executable._tidy,
        arguments = [report.path, source.path] + flags,
        inputs = depset([source, ctx.file._config], transitive = [compilation.headers]),
        outputs = [report],
        mnemonic = "ClangTidy",
        progress_message = "Reading " + source.short_path,
    )
    return report

def _tidy_aspect_impl(target, ctx):
    reports = [
        dep[TidyInfo].reports
        for dep in getattr(ctx.rule.attr, "deps", [])
        if TidyInfo in dep
    ]
    if CcInfo in target and hasattr(ctx.rule.files, "srcs"):
        compilation = target[CcInfo].compilation_context
        sources = [
            file
            for file in ctx.rule.files.srcs
            if file.is_source and file.extension == "cc"
        ]
        reports.append(depset([_tidy_file(ctx, file, compilation) for file in sources]))
    return [TidyInfo(reports = depset(transitive = reports))]

_tidy_aspect = aspect(
    implementation = _tidy_aspect_impl,
    attr_aspects = ["deps", "actual"],
    attrs = {
        "_config": attr.label(default = "//:.clang-tidy", allow_single_file = True),
        "_tidy": attr.label(
            default = "//tools/build:run_tidy.sh",
            allow_single_file = True,
            executable = True,
            cfg = "exec",
        ),
    },
)

def _tidy_test_impl(ctx):
    reports = depset(transitive = [target[TidyInfo].reports for target in ctx.attr.targets]).to_list()
    ctx.actions.write(
        output = ctx.outputs.executable,
        is_executable = True,
        content = "\n".join([
            "#!/bin/sh",
            "# Fails if a report says something, or if there is none.",
            "set -- {}".format(" ".join([report.short_path for report in reports])),
            "cat \"$@\" </dev/null",
            "echo \"$# files read\"",
            "[ $# -gt 0 ] && [ -z \"$(cat \"$@\" </dev/null)\" ]",
            "",
        ]),
    )
    return [DefaultInfo(runfiles = ctx.runfiles(files = reports))]

tidy_test = rule(
    doc = "Passes if clang-tidy finds nothing in the targets and in all below them.",
    implementation = _tidy_test_impl,
    test = True,
    attrs = {
        "targets": attr.label_list(aspects = [_tidy_aspect]),
    },
)
