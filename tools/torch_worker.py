"""What the PyTorch networks of tools/bench_torch.py have in common: telling of themselves, finding
their fastest form, and one timing as a line of JSON.
"""

import argparse
import json
import time

import torch


def measure(step, warm_up, fewest, seconds):
    for _ in range(warm_up):
        step()
    times = []
    while len(times) < fewest or (sum(times) < seconds and len(times) < 1000):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    times.sort()
    return times[len(times) // 2]


def peak_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def blas():
    """Which one is loaded; torch itself is no help."""
    torch.zeros(64, 64) @ torch.zeros(64, 64)
    with open("/proc/self/maps") as maps:
        paths = [line.split()[-1] for line in maps if "blas" in line]
    kinds = [kind for kind in ("openblas-openmp", "openblas-pthread", "openblas-serial", "openblas", "blis")
             if any(kind in path for path in paths)]
    return kinds[0] if kinds else "another BLAS"


def run(description, cases, forms_of, check_forms):
    """The command line of a worker. cases: {name: function of form and batch that returns a step};
    forms_of(case) lists the forms; check_forms() makes sure that all are the same network."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--about", action="store_true", help="tell versions only")
    parser.add_argument("--tune", nargs="*", metavar="CASE:BATCH", help="time all forms, briefly")
    parser.add_argument("--case", metavar="CASE:BATCH")
    parser.add_argument("--form")
    parser.add_argument("--seconds", type=float, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_flush_denormal(True)

    def prepare(case, form):
        name, batch = case.split(":")
        return cases[name](form, int(batch))

    if a.about:
        result = {"torch": torch.__version__, "blas": blas()}
    elif a.tune is not None:
        check_forms()
        result = {case: {form: measure(prepare(case, form), 1, 3, 0.3) for form in forms_of(case)}
                  for case in a.tune}
    else:
        seconds = measure(prepare(a.case, a.form), 3, 7, a.seconds)
        result = {"seconds": seconds, "peak_mib": peak_mib()}
    print(json.dumps(result))
