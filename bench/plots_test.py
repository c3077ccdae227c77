"""Opens pages of plots.py in headless Chromium: every chart is drawn, and
nothing complains.

    plots_test.py [DB_BENCH]

With the program db_bench, a small run of it is drawn too.
"""
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import plots  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# A chart without a bar or line has none; an axis is grey.
LEAST_INKED = 150
SECONDS = 120


def browse(page, scratch, *more):
    """What Chromium prints; it keeps nothing outside of `scratch`."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program, "chromium is missing: tools/setup"
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-dev-shm-usage", f"--user-data-dir={home / 'profile'}",
         "--disable-background-networking", "--no-first-run",
         "--enable-logging=stderr", "--log-level=0",
         "--virtual-time-budget=5000", "--window-size=1240,2400", *more,
         page.as_uri()],
        env=dict(os.environ, HOME=str(home)), timeout=SECONDS,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


class Charts(html.parser.HTMLParser):
    """The body's data, and that of each chart."""

    def __init__(self, text):
        super().__init__()
        self.body = {}
        self.inked = []
        self.canvases = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "body":
            self.body = attrs
        if tag == "canvas":
            self.canvases += 1
        if tag == "section":
            self.inked.append(int(attrs.get("data-inked") or 0))


def problems(text, scratch):
    """What is wrong with a page, as a list of lines."""
    page = scratch / "page.html"
    page.write_text(text)
    done = browse(page, scratch, "--dump-dom")
    found = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    charts = Charts(done.stdout)
    if charts.body.get("data-errors") != "":
        found.append("errors: " + str(charts.body.get("data-errors")))
    wanted = charts.body.get("data-charts")
    if not wanted or int(wanted) != len(charts.inked):
        found.append(f"{len(charts.inked)} charts, not {wanted}")
    if charts.canvases != len(charts.inked):
        found.append(f"{charts.canvases} canvases")
    found += [f"chart {i} is blank" for i, inked in enumerate(charts.inked)
              if inked < LEAST_INKED]
    if re.search(r'(src|href)="?https?:', text):
        found.append("it loads something from the network")
    return found


def check_page(name, result, scratch, charts_min):
    text = plots.make_page(result)
    assert len(plots.charts_of(result)) >= charts_min, name
    found = problems(text, scratch)
    assert not found, (name, found)
    print(f"{name}: {len(plots.charts_of(result))} charts drawn")


def check_checker(result, scratch):
    """The check finds what it is there to find."""
    text = plots.make_page(result)
    for what, broken in {
            "no library": text.replace("new uPlot(", "new noPlot("),
            "no bars": text.replace("uPlot.paths.bars(", "(() => () => null)("),
            "a complaint": text.replace(
                '"use strict";', '"use strict"; console.error("odd");', 1),
            "a chart missing": text.replace(
                "for (const chart of page.charts) draw(chart);",
                "for (const chart of page.charts.slice(1)) draw(chart);"),
    }.items():
        assert broken != text, what
        found = problems(broken, scratch)
        assert found, f"{what} was not noticed"
        print(f"planted: {what}: {found[0]}")


def run_db_bench(program, scratch):
    """Both the page's input and a test of the program: a whole small run."""
    report = scratch / "db.json"
    subprocess.run([program, "--num=2000", f"--dir={scratch / 'db'}",
                    f"--json={report}"], check=True, timeout=SECONDS,
                   stdout=subprocess.DEVNULL)
    result = json.loads(report.read_text())
    names = {(r["engine"], r["workload"]) for r in result["results"]}
    for engine in ("strata-btree", "strata-leveldb", "lmdb", "leveldb",
                   "rocksdb"):
        for workload in ("fillrev", "fillrev-sync", "overwrite", "readrev",
                         "readkey", "readrange", "readhot", "scanhistory",
                         "mixed", "compact", "open"):
            assert (engine, workload) in names, (engine, workload)
    rows = {r["engine"]: r["ops"] for r in result["results"]
            if r["workload"] == "scanhistory"}
    assert set(rows.values()) == {2000 + 200 + 1000} | (
        {2000 + 1000} if "strata-mem" in rows else set()), rows
    left = {r["engine"]: r["ops"] for r in result["results"]
            if r["workload"] == "compact"}
    assert min(left.values()) > 0, left
    return result


def main():
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        records = [{"name": "a", "figure": 1, "other": 30},
                   {"name": "b", "figure": 2, "other": 10}]
        check_page("records", {"rows": records}, scratch, 2)
        check_checker({"rows": records}, scratch)
        results = pathlib.Path(plots.HERE / "results")
        server = sorted(results.glob("*-server.json"))
        assert server, "no results to draw"
        check_page("server", json.loads(server[-1].read_text()), scratch, 4)
        if len(sys.argv) > 1:
            check_page("db_bench", run_db_bench(sys.argv[1], scratch), scratch,
                       12)


if __name__ == "__main__":
    main()
