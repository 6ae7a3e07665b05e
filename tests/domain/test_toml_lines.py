import tomllib
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from portal.domain.catalogue.toml_lines import lines_of

AWKWARD = '''\
# [not.a.table]
title = "a [bracket] # and no comment"
other = 'C:\\[x] = {'

[shop]
text = """
[fake]
fake = 1
quote: \\""" and two more:"""""
raw = \'\'\'
[[also.fake]]\'\'\'
numbers = [  # a comment ] in between
  1,
  2, 3,

  4,
]
"quoted . key" = true
'literal [key]' = 1979-05-27 07:32:00
dotted . "deep er".last = 1

[[shop.items]]
code = "a"
prices = [
  { amount = 1, tiers = [ { from = 2 }, { from = 3 } ] },
  { amount = 2 },
]

  [shop.items.box]
  size = 1

[[shop.items]]
code = "b"
[[ shop . "items" . box ]]
size = 2
[[shop.items.box]]
size = 3
[implied.parent]
[implied]
key = 0
'''


def paths_in(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, child in children:
        yield from paths_in(child, (*path, step))


def test_every_path_of_an_awkward_text_has_the_line_it_stands_on():
    lines = lines_of(AWKWARD)
    assert set(lines) == set(paths_in(tomllib.loads(AWKWARD)))

    def line(text: str, nth: int = 1) -> int:
        found = [number for number, row in enumerate(AWKWARD.splitlines(), 1) if text in row]
        return found[nth - 1]

    expected = {
        ("title",): line("title ="),
        ("shop",): line("[shop]"),
        ("shop", "text"): line('text = """'),
        ("shop", "raw"): line("raw ="),
        ("shop", "numbers", 0): line("  1,"),
        ("shop", "numbers", 2): line("  2, 3,"),
        ("shop", "numbers", 3): line("  4,"),
        ("shop", "quoted . key"): line('"quoted . key"'),
        ("shop", "literal [key]"): line("'literal [key]'"),
        ("shop", "dotted", "deep er", "last"): line("dotted ."),
        ("shop", "items"): line("[[shop.items]]"),
        ("shop", "items", 0, "prices", 0, "tiers", 1, "from"): line("tiers ="),
        ("shop", "items", 0, "prices", 1, "amount"): line("amount = 2"),
        ("shop", "items", 0, "box"): line("[shop.items.box]"),
        ("shop", "items", 1): line("[[shop.items]]", 2),
        ("shop", "items", 1, "code"): line('code = "b"'),
        ("shop", "items", 1, "box", 0, "size"): line("size = 2"),
        ("shop", "items", 1, "box", 1): line("[[shop.items.box]]"),
        ("implied",): line("[implied]"),
        ("implied", "parent"): line("[implied.parent]"),
    }
    assert {path: lines[path] for path in expected} == expected


def test_carriage_returns_change_no_line():
    assert lines_of(AWKWARD.replace("\n", "\r\n")) == lines_of(AWKWARD)


# Documents built from data, in every manner of writing that TOML has; each key is unique and says so.

scalars = st.sampled_from(
    [
        *("1", "0xf", "1.5e3", "true", "2026-11-21", "2026-11-21 10:00:00Z", "07:32:00", "inf"),
        *(
            '"a"',
            '"[b] # \\" = {"',
            "'[c] \\'",
            '"""\n[d]\n# e """',
            '""""x"""""',
            "'''\n[[f]]\n'''",
            '""',
            "''",
        ),
    ]
)
gaps = st.sampled_from(["", " ", "\n", " # ] } \" '''\n", "\n\n\t"])
key_styles = st.sampled_from(["k{}", '"k{} [x] = # ."', "'k{} \"'", '"k{}\\u0041\\""', "k{}-_0"])


class Writer:
    """Writes a random document; `keys` are (path, the text of its last step as written)."""

    def __init__(self, draw):
        self.draw = draw
        self.count = 0

    def key(self) -> str:
        self.count += 1
        return self.draw(key_styles).format(f"{self.count:04}")

    def value(self, depth: int) -> str:
        shape = self.draw(st.sampled_from(["scalar", "scalar", "array", "inline"])) if depth else "scalar"
        if shape == "scalar":
            return self.draw(scalars)
        size = self.draw(st.integers(0, 3))
        if shape == "inline":
            return "{ " + " , ".join(f"{self.key()} = {self.value(depth - 1)}" for _ in range(size)) + " }"
        items = [self.draw(gaps) + self.value(depth - 1) + self.draw(gaps) for _ in range(size)]
        return (
            "["
            + ",".join(items)
            + ("," if items and self.draw(st.booleans()) else "")
            + self.draw(gaps)
            + "]"
        )

    def pairs(self) -> str:
        written = ""
        for _ in range(self.draw(st.integers(0, 2))):
            dots = " . ".join(self.key() for _ in range(self.draw(st.integers(1, 2))))
            written += f"{self.draw(st.sampled_from(['', '  ']))}{dots} = {self.value(2)} # [end]\n"
        return written

    def table(self, prefix: str, depth: int) -> str:
        written = self.pairs()
        for _ in range(self.draw(st.integers(0, 2)) if depth else 0):
            name = f"{prefix}{self.key()}"
            if self.draw(st.booleans()):
                written += f"[ {name} ]\n{self.table(f'{name}.', depth - 1)}"
            else:
                for _ in range(self.draw(st.integers(1, 2))):
                    written += f"[[{name}]]  # [[x]]\n{self.table(f'{name}.', depth - 1)}"
        return written


@st.composite
def documents(draw):
    return Writer(draw).table("", 2)


@given(documents())
def test_the_scanner_finds_what_tomllib_finds(text):
    lines = lines_of(text)
    assert set(lines) == set(paths_in(tomllib.loads(text)))
    rows = text.split("\n")
    for path, line in lines.items():
        if isinstance(path[-1], str):
            marker = path[-1][:5]
            # An array of tables repeats its name; every other key is written once before its own sub-tables.
            assert marker in rows[line - 1]
            if all(isinstance(step, str) for step in path):
                assert line == next(number for number, row in enumerate(rows, 1) if marker in row)
