"""What the checks need to know of C++: code without its words, functions."""
import re

_LEXEME = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<raw>\bR"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<number>\b[0-9](?:'?[0-9a-zA-Z_.])*)
      | (?P<character>'(?:\\.|[^'\\\n])+')
      | (?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)""",
    re.VERBOSE | re.DOTALL | re.MULTILINE)

# What opens a scope whose inside is again declarations.
_SCOPE = re.compile(r"^(inline\s+)?(namespace|extern\s*$)|"
                    r"\b(class|struct|union|enum)\b(?![^<]*>)(?!.*\)\s*$)")
# What ends a declaration, or begins a part of a class.
_MARK = re.compile(r"[{};]|\b(?:public|private|protected)\s*:(?!:)")
# A head that calls or declares with parentheses: a function, or a lambda.
_CALLABLE = re.compile(r"\)[^=;]*$|\]\s*$")


def code_only(text):
    """`text` with comments, strings and directives as blanks, lines kept."""

    def blank(match):
        if match.lastgroup == "number":
            return match.group()
        return re.sub(r"[^\n]", " ", match.group())

    return _LEXEME.sub(blank, text)


def functions(text):
    """Yields (name, first line, number of lines) of each function body, from
    the line its declaration begins on to its closing brace."""
    code = code_only(text)
    head = 0  # where the current declaration begins
    inside = 0  # braces open within a function's body
    for match in _MARK.finditer(code):
        here = match.start()
        if match.group() == "{" and inside:
            inside += 1
        elif match.group() == "{":
            declaration = code[head:here].strip()
            if opens_function(declaration):
                inside = 1
                begin = head + len(code[head:here]) - len(code[head:here].lstrip())
                name = name_of(declaration)
            else:
                head = here + 1
        elif match.group() == "}" and inside:
            inside -= 1
            if not inside:
                first = code.count("\n", 0, begin) + 1
                yield name, first, code.count("\n", begin, here) + 1
                head = here + 1
        elif not inside:
            head = match.end()


def opens_function(declaration):
    if _SCOPE.search(declaration) and not declaration.endswith(")"):
        return False
    return bool(_CALLABLE.search(declaration))


def name_of(declaration):
    """The word before the first parenthesis; of a TEST, both its words."""
    test = re.search(r"\b(?:TYPED_)?TEST(?:_[FP])?\s*\(\s*(\w+)\s*,\s*(\w+)",
                     declaration)
    if test:
        return f"{test.group(1)}.{test.group(2)}"
    name = re.search(r"([\w:~]+|operator\s*\S+)\s*\(", declaration)
    return name.group(1) if name else "?"
