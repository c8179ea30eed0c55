#!/usr/bin/env python3
"""throughput.py MODEL_DIR PHOTO_DIR [--limit N] [--rounds 3] [--cores 2] [--json FILE]: a folder captioned to the end, beside transformers.

Each line of the table is a process of its own, from its start to its end, over the same photos and model, greedily in float32, on the same cores.
Rounds are interleaved, each in another order, so that a busy machine disturbs all of them. Printed are the best and the median of the rounds:

  images/s     photos by the seconds from the start of the process to its end
  steady       photos after those of the first captions, by the seconds from those to the last one
  start-up     seconds from the start of the process to the first caption in the output file
  CPU          milliseconds of processor time a photo, of all its processes: what is left of a comparison on a busy machine
  memory       highest sum of the PSS of all its processes, looked at five times a second

Needs what peer.py needs; without it, Lunette is timed alone."""
import argparse, importlib.util, json, os, resource, statistics, subprocess, sys, tempfile, time

here = os.path.dirname(os.path.abspath(__file__))
LUNETTE = os.path.join(here, "..", "..", "bin", "lunette")
POLL, SAMPLE = 0.02, 0.2        # seconds between looks at the output file and at memory


def contenders(options):
    def ours(*words):
        return lambda folder, photos, out: ([LUNETTE, "caption", folder, "--model", options.model, "--num-beams", "1", "--out", out, "--quiet", *words], None)

    def theirs(batch):
        command = [sys.executable, os.path.join(here, "peer.py"), options.model, str(options.cores), str(batch)]
        return lambda folder, photos, out: (command + [out], "\n".join(photos))

    found = {
        "lunette": ours(),
        "lunette --workers 2 --threads 1": ours("--workers", "2", "--threads", "1"),
        "lunette --workers 1 --threads 1": ours("--workers", "1", "--threads", "1"),
        "lunette --workers 1 --threads 2": ours("--workers", "1", "--threads", "2"),
    }
    if all(importlib.util.find_spec(name) for name in ("torch", "transformers", "PIL")):
        found |= {"transformers, photo by photo": theirs(1), "transformers, batches of 8": theirs(8), "transformers, batches of 16": theirs(16)}
    else:
        print("no peer: torch, transformers or pillow is not installed", file=sys.stderr)
    return found


def descendants(pid):
    """The process and its children; those that end meanwhile are left out."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children") as f:
                    found += map(int, f.read().split())
        except OSError:
            pass
    return found


def memory(pid):
    """Sum of the PSS of a process and its children, in MiB."""
    kib = 0
    for one in descendants(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup") as f:
                kib += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return kib / 1024


class Lines:
    """How many lines a file has that grows."""

    def __init__(self, path):
        self.path, self.at, self.count = path, 0, 0

    def look(self):
        if os.path.exists(self.path):
            with open(self.path, "rb") as f:
                f.seek(self.at)
                piece = f.read()
            self.at, self.count = self.at + len(piece), self.count + piece.count(b"\n")
        return self.count


def processor_time():
    """Seconds that children used which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(contender, folder, photos):
    """One process from start to end; what was measured, and its captions by file name."""
    with tempfile.TemporaryDirectory() as place:
        out = os.path.join(place, "out.jsonl")
        command, words = contender(folder, photos, out)
        lines, first, last, peak, sampled = Lines(out), None, None, 0, 0
        with open(os.path.join(place, "in"), "w+") as given, open(os.path.join(place, "err"), "w+") as said:
            given.write(words or "")
            given.seek(0)
            used, started = processor_time(), time.perf_counter()
            process = subprocess.Popen(command, stdin=given, stdout=said, stderr=said)
            while True:
                status, before, now = process.poll(), lines.count, time.perf_counter() - started
                if lines.look() > before:
                    first, last = first or (now, lines.count), now
                if status is not None:
                    break
                if now - sampled >= SAMPLE:
                    peak, sampled = max(peak, memory(process.pid)), now
                time.sleep(POLL)
            said.seek(0)
            if status != 0 or lines.count != len(photos):
                sys.exit(f"{' '.join(command)}: status {status}, {lines.count} of {len(photos)} lines\n{said.read()}")
        with open(out) as f:
            captions = {os.path.basename(row["file"]): row["text"] for row in map(json.loads, f)}
        rest = len(photos) - first[1]
        return {"images_per_second": len(photos) / now, "steady": rest / (last - first[0]) if rest else None,
                "start_up": first[0], "memory": peak, "cpu_ms": (processor_time() - used) / len(photos) * 1000}, captions


def cell(rounds, name, best, digits):
    values = [r[name] for r in rounds if r[name] is not None]
    return f"{best(values):.{digits}f} / {statistics.median(values):.{digits}f}" if values else "-"


def table(results):
    print("| | images/s | steady, images/s | start-up, s | CPU, ms a photo | memory, MiB |\n|---|---|---|---|---|---|")
    for name, rounds in results.items():
        print(f"| {name} | {cell(rounds, 'images_per_second', max, 2)} | {cell(rounds, 'steady', max, 2)} | "
              f"{cell(rounds, 'start_up', min, 2)} | {cell(rounds, 'cpu_ms', min, 0)} | {max(r['memory'] for r in rounds):.0f} |")


def ratios(results):
    def median(name):
        return statistics.median(r["images_per_second"] for r in results[name])
    peers = [name for name in results if name.startswith("transformers")]
    best = max((name for name in results if name.startswith("lunette")), key=median)
    if peers:
        peer = max(peers, key=median)
        print(f"{best} beside {peer}: {median(best) / median(peer):.2f} (medians, start to end)")
    two, one = "lunette --workers 2 --threads 1", "lunette --workers 1 --threads 1"
    print(f"two workers with a thread each beside one: {median(two) / median(one):.2f}")


parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("photo_dir")
parser.add_argument("--limit", type=int, help="only the first N photos")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--cores", type=int, default=2)
parser.add_argument("--json", help="all that was measured, to FILE")
options = parser.parse_args()
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
options.model = os.path.abspath(options.model)

with tempfile.TemporaryDirectory() as folder:
    names = sorted(name for name in os.listdir(options.photo_dir) if name.endswith(".jpg"))[: options.limit]
    for name in names:
        os.symlink(os.path.abspath(os.path.join(options.photo_dir, name)), os.path.join(folder, name))
    photos, all_of_them = [os.path.join(folder, name) for name in names], contenders(options)
    results, captions = {name: [] for name in all_of_them}, {}
    for i in range(options.rounds):
        order = list(all_of_them)
        for name in order[i % len(order):] + order[: i % len(order)]:
            measured, captions[name] = run(all_of_them[name], folder, photos)
            results[name].append(measured)
            print(f"round {i + 1}, {name}: {measured['images_per_second']:.2f} images/s", file=sys.stderr)

print(f"{options.cores} cores, {len(photos)} photos, fp32, greedy; best / median of {options.rounds} rounds\n")
table(results)
print()
ratios(results)
for name in captions:
    same = sum(captions[name][photo] == captions["lunette"][photo] for photo in names)
    if name != "lunette":
        print(f"{name}: {same} of {len(names)} captions as those of lunette")
if options.json:
    with open(options.json, "w") as f:
        json.dump({"cores": options.cores, "photos": len(photos), "rounds": results}, f, indent=1)
