#!/usr/bin/env python3
"""peers.py MODEL_DIR PHOTO_DIR [--photos 40] [--threads 2] [--gguf DIR]: captioning beside transformers, in one run.

Python is a test-time peer only: pip install torch==2.13.0 transformers pillow. Each of three rounds times both, one
after the other, so that a busy machine disturbs both; printed are the medians. Start-up is measured from process start
to the caption, peak RSS as the kernel counts it for that process."""
import argparse, json, os, statistics, subprocess, sys, time
from peer import Peer

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("photo_dir")
parser.add_argument("--photos", type=int, default=40)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--gguf", help="the model directory whose start-up is timed (default: MODEL_DIR)")
options = parser.parse_args()
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
photos = [os.path.join(options.photo_dir, p) for p in sorted(os.listdir(options.photo_dir)) if p.endswith(".jpg")][: options.photos]


def ours(batch, beams):
    out = subprocess.run(["lua5.4", os.path.join(root, "tests/bench/caption.lua"), options.model, str(options.threads),
                          str(batch), str(beams)] + photos, check=True, capture_output=True, text=True).stdout
    return len(photos) / json.loads(out)["mean"]


try:
    peer = Peer(options.model, options.threads)
except ImportError as error:
    peer = None
    print(f"no peer: {error}", file=sys.stderr)


def theirs(batch, beams):
    started = time.perf_counter()
    for i in range(0, len(photos), batch):
        peer.caption(photos[i:i + batch], beams)
    return len(photos) / (time.perf_counter() - started)


print(f"{os.cpu_count()} cores, {options.threads} threads, fp32, {len(photos)} photos, warm; peer: {peer.name if peer else 'absent'}\n")
print("| captioning | lunette, images/s | transformers, images/s | ratio |\n|---|---|---|---|")
for beams in (1, 3):
    for batch in (1, 8):
        if peer:
            theirs(batch, beams)
        mine, other = [], []
        for _ in range(3):
            mine.append(ours(batch, beams))
            if peer:
                other.append(theirs(batch, beams))
        a, b = statistics.median(mine), statistics.median(other) if other else None
        name = f"{'greedy' if beams == 1 else f'{beams} beams'}, batch {batch}"
        print(f"| {name} | {a:.2f} | {b:.2f} | {a / b:.2f} |" if b else f"| {name} | {a:.2f} | - | - |", flush=True)

start_dir = options.gguf or options.model
seconds = []
for _ in range(5):
    started = time.perf_counter()
    subprocess.run([os.path.join(root, "bin/lunette"), "caption", "--model", start_dir, "--threads", str(options.threads), photos[0]],
                   check=True, capture_output=True)
    seconds.append(time.perf_counter() - started)
probe = ("import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, capture_output=True)\n"
         "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
rss = int(subprocess.run([sys.executable, "-c", probe, os.path.join(root, "bin/lunette"), "caption", "--model", start_dir, photos[0]],
                         check=True, capture_output=True, text=True).stdout)
print(f"\nprocess start to caption: {statistics.median(seconds):.3f} s (median of 5, {start_dir}); peak RSS {rss / 1024:.0f} MB")
