"""A run's timeline in headless Chromium: it is drawn, and nothing complains.

    timeline_test.py SIM
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 120


def browse(page, scratch):
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program, "chromium is missing: tools/setup"
    return subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-dev-shm-usage", f"--user-data-dir={scratch / 'profile'}",
         "--disable-background-networking", "--no-first-run",
         "--enable-logging=stderr", "--log-level=0",
         "--virtual-time-budget=5000", "--window-size=1240,1200",
         "--dump-dom", page.as_uri()],
        env=dict(os.environ, HOME=str(scratch)), timeout=SECONDS,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


def problems(page, scratch):
    done = browse(page, scratch)
    found = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    drawn = re.search(r'data-drawn="(\d+)"', done.stdout)
    if not drawn or int(drawn[1]) < 20:
        found.append("hardly anything is drawn: " + (drawn[1] if drawn else ""))
    if re.search(r'(src|href)="?https?:', page.read_text()):
        found.append("it loads from elsewhere")
    return found


def main():
    with tempfile.TemporaryDirectory(prefix="strata-timeline-") as name:
        scratch = pathlib.Path(name)
        page = scratch / "run.html"
        subprocess.run([sys.argv[1], "--seed=1", "--seconds=5",
                        f"--timeline={page}"], check=True, timeout=SECONDS,
                       stdout=subprocess.DEVNULL)
        wrong = problems(page, scratch)
        assert not wrong, "\n".join(wrong)
        # What is broken is seen.
        page.write_text(page.read_text().replace("drawMembers();", "broken();"))
        assert problems(page, scratch), "a broken page is not noticed"


if __name__ == "__main__":
    main()
