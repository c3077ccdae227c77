#!/usr/bin/env python3
"""Draws the figures of our benchmarks: one HTML page that needs no network.

    bench/plots.py RESULT.json --out PAGE.html

RESULT.json is what db_bench --json, server_compare.py, million.py or member.py wrote; any other
JSON with a list of records is drawn as it is, a chart for each number.
"""
import argparse
import html
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
UPLOT = HERE.parent / "third_party" / "uplot"

# Told apart by all eyes (Okabe and Ito), ours in blues.
COLOURS = {
    "strata-btree": "#0072b2", "strata-btree-fl": "#7a5195",
    "strata-leveldb": "#56b4e9", "strata-mem": "#8c8fa8",
    "strata": "#0072b2", "stratad": "#0072b2",
    "lmdb": "#d55e00", "leveldb": "#e69f00", "rocksdb": "#009e73",
    "etcd": "#d55e00", "echo-cq": "#8c8fa8", "disk": "#5d4037",
}
OTHER_COLOURS = ["#cc79a7", "#f0e442", "#7a5195", "#2f4b7c", "#a05195", "#665191"]

PERCENTILES = [("p50_us", "50 %"), ("p90_us", "90 %"), ("p99_us", "99 %"),
               ("p999_us", "99.9 %"), ("max_us", "slowest")]
# On a logarithmic axis where the largest is so many times the smallest.
LOG_FROM = 30


def in_order(values):
    """Each once, in the order of their first coming."""
    return list(dict.fromkeys(values))


def colours_of(names):
    spare = iter(OTHER_COLOURS * (len(names) + 1))
    return {name: COLOURS.get(name) or next(spare) for name in names}


def chart(title, axis, categories, series, **more):
    """`series` is a dict from name to values, None where there is none."""
    values = [v for row in series.values() for v in row if v]
    if not values:
        return None
    colours = colours_of(list(series))
    made = {
        "title": title, "axis": axis, "categories": categories,
        "kind": "bars", "unit": "", "note": "", "wide": False,
        "log": max(values) / min(values) >= LOG_FROM,
        "series": [{"name": name, "values": row, "colour": colours[name]}
                   for name, row in series.items() if any(row)],
    }
    made.update(more)
    return made


# --- db_bench ---


class DbBench:
    """The charts of one run of db_bench."""

    def __init__(self, result):
        self.records = result["results"]
        self.engines = in_order(r["engine"] for r in self.records)
        self.workloads = in_order(r["workload"] for r in self.records)
        self.by = {(r["engine"], r["workload"]): r for r in self.records}

    def value(self, engine, workload, name):
        return self.by.get((engine, workload), {}).get(name)

    def bars(self, title, axis, name, workloads, **more):
        there = [w for w in workloads if w in self.workloads]
        series = {e: [self.value(e, w, name) for w in there]
                  for e in self.engines}
        return chart(title, axis, there, series, **more)

    def relative(self):
        """Ours by the best of the others, workload by workload."""
        ours = [e for e in self.engines if e.startswith("strata-")]
        peers = [e for e in self.engines if e not in ours]
        series = {e: [] for e in ours}
        there = []
        for workload in self.workloads:
            speeds = [self.value(p, workload, "ops_per_s") or 0 for p in peers]
            if not any(speeds) or not any(
                    self.value(e, workload, "ops_per_s") for e in ours):
                continue
            there.append(workload)
            for engine in ours:
                own = self.value(engine, workload, "ops_per_s")
                series[engine].append(own and own / max(speeds))
        return chart("Speed by the best peer's", "times the best peer", there,
                     series, reference=1, wide=True,
                     note="Above the dashed line: faster than the fastest of " +
                     ", ".join(peers) + " at that workload.")

    def latency(self, workload):
        records = [r for r in self.records if r["workload"] == workload]
        series = {r["engine"]: [r[name] for name, _ in PERCENTILES]
                  for r in records}
        what = records[0]["latency_of"] if records else ""
        what = {"op": "a read", "commit": "a commit"}.get(what, what)
        return chart(f"Latency of {workload}", f"time of {what}",
                     [shown for _, shown in PERCENTILES], series, kind="lines",
                     log=True, unit="us",
                     note="So many of a hundred were faster.")

    def charts(self):
        made = [
            self.bars("Speed", "operations a second", "ops_per_s",
                      self.workloads, wide=True,
                      note="What an operation is differs from workload to "
                      "workload; more is better."),
            self.relative(),
        ]
        made += [self.latency(w) for w in self.workloads
                 if w not in ("open", "shrink", "compact")]
        made.append(self.bars(
            "Processor time of an operation", "time", "cpu_us", self.workloads,
            unit="us", wide=True, log=True,
            note="Of all threads, making keys and values included; less is "
            "better."))
        writing = [w for w in self.workloads
                   if any(self.value(e, w, "put_bytes") for e in self.engines)]
        made += [
            self.bars("Bytes written for each byte put", "bytes",
                      "written_per_put_byte", writing,
                      note="write_bytes of the process; less is better."),
            self.bars("Files afterwards", "size", "file_bytes",
                      ["fillrev", "overwrite", "compact", "shrink"],
                      unit="bytes", log=False, note="Less is better."),
            self.bars("Private memory afterwards (RssAnon)", "size",
                      "rss_anon_bytes", ["fillrev", "readkey", "compact"],
                      unit="bytes", log=False,
                      note="With the index of user keys, the same for all."),
            self.bars("Mapped pages afterwards (RssFile)", "size",
                      "rss_file_bytes", ["fillrev", "readkey", "compact"],
                      unit="bytes", log=False,
                      note="Shared with the page cache, which may drop them."),
            self.bars("Open to first read", "time", "p50_us", ["open"],
                      unit="us", note="Files in the page cache; without the "
                      "index. Less is better."),
            self.bars("Index read anew", "milliseconds", "index_rebuild_ms",
                      ["open"], note="A scan of all rows, and the index of "
                      "user keys made from it."),
        ]
        return made


# --- server_compare.py ---


def server_charts(result):
    samples = result["samples"]
    loads = in_order((s["op"], s.get("outstanding", 1)) for s in samples)
    names = [f"{op} × {n}" if n > 1 else op for op, n in loads]
    servers = in_order(s["server"] for s in samples)

    def best(server, load, field):
        """The middle one of its rounds."""
        values = sorted(s[field] for s in samples if field in s and
                        s["server"] == server and
                        (s["op"], s.get("outstanding", 1)) == load)
        return values[len(values) // 2] if values else None

    fields = [("p50_us", "Half are faster", "time of a call", "us"),
              ("p99_us", "99 of 100 are faster", "time of a call", "us"),
              ("per_second", "Calls a second", "calls", ""),
              ("server_cpu_us", "Processor time of a call at the server",
               "time", "us")]
    return [chart(title, axis, names,
                  {s: [best(s, load, field) for load in loads]
                   for s in servers}, unit=unit, wide=True,
                  note="The median of the rounds.")
            for field, title, axis, unit in fields]


# --- million.py, member.py ---


def timeline_charts(result):
    """The slowest put of each stretch of time, server by server."""
    step = result["timeline_step_s"]
    slowest = result["timelines"]
    length = max(map(len, slowest.values()))
    # So many points can be told apart.
    merge = -(-length // 240)

    def merged(values):
        values = [v or None for v in values] + [None] * (length - len(values))
        parts = [values[i:i + merge] for i in range(0, length, merge)]
        return [max(filter(None, part), default=None) for part in parts]

    seconds = [f"{i * step:.0f}" for i in range(0, length, merge)]
    return [chart(result["timeline_title"], "slowest put", seconds,
                  {server: merged(values) for server, values in slowest.items()},
                  kind="lines", log=True, unit="us", wide=True,
                  note=result["timeline_note"])]


# --- any list of records ---


def other_charts(result):
    records = result if isinstance(result, list) else next(
        (v for v in result.values()
         if isinstance(v, list) and v and isinstance(v[0], dict)), [])
    if not records:
        return []

    def is_number(value):
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    labels = [k for k, v in records[0].items() if isinstance(v, str)]
    names = [" ".join(str(r.get(k, "")) for k in labels) or str(i)
             for i, r in enumerate(records)]
    numbers = in_order(k for r in records for k, v in r.items() if is_number(v))
    return [chart(n, n, names, {n: [r.get(n) for r in records]})
            for n in numbers]


# --- the page ---


def charts_of(result):
    if isinstance(result, dict) and result.get("bench") == "db_bench":
        made = DbBench(result).charts()
    elif isinstance(result, dict) and "timelines" in result:
        made = timeline_charts(result)
    elif isinstance(result, dict) and "samples" in result:
        made = server_charts(result)
    else:
        made = other_charts(result)
    return [one for one in made if one is not None]


def title_of(result):
    if isinstance(result, dict) and result.get("bench") == "db_bench":
        return (f"Storage engines on {result['num']:,} keys of "
                f"{result['key_bytes']} bytes, values of "
                f"{result['value_bytes']}")
    if isinstance(result, dict) and "samples" in result:
        return "Servers of the v3 API"
    if isinstance(result, dict) and "timelines" in result:
        return result.get("title", "A million keys")
    return "Figures"


def facts_of(result):
    if not isinstance(result, dict):
        return []
    return [[name, str(value)] for name, value in result.items()
            if isinstance(value, (str, int, float)) and value != "" and
            name not in ("bench", "title")]


def make_page(result, uplot=UPLOT):
    charts = charts_of(result)
    if not charts:
        raise ValueError("no figures in it")
    data = json.dumps({"facts": facts_of(result), "charts": charts})
    page = (HERE / "plots_page.html").read_text()
    for mark, text in {
            "@TITLE@": html.escape(title_of(result)),
            "@UPLOT_CSS@": (uplot / "uPlot.min.css").read_text(),
            "@UPLOT_JS@": (uplot / "uPlot.iife.min.js").read_text(),
            "@UPLOT_LICENSE@": html.escape((uplot / "LICENSE").read_text()),
            # Nothing in it may end the script it stands in.
            "@DATA@": data.replace("<", "\\u003c"),
    }.items():
        page = page.replace(mark, text)
    return page


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("result", help="a JSON of db_bench or server_compare.py")
    parser.add_argument("--out", required=True, help="the page to write")
    args = parser.parse_args()
    try:
        page = make_page(json.loads(pathlib.Path(args.result).read_text()))
    except (OSError, ValueError) as error:
        sys.exit(f"plots.py: {args.result}: {error}")
    pathlib.Path(args.out).write_text(page)
    print(f"{args.out}: {len(page) // 1024} KiB")


if __name__ == "__main__":
    main()
