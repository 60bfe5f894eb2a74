"""Data capture files to measure with: made up, the same every time, in SageMaker's layout."""

import base64
import random
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

ENDPOINT = "scones/AllTraffic"
DAYS = 14
_POOL_BYTES = 16 << 20


def write(directory: Path, records: int, image_bytes: int, most_per_object: int) -> list[Path]:
    """Write objects of 1 to ``most_per_object`` records, spread over fourteen days.

    One output in a hundred is base64, one CSV; three records in ten have an inference id; one in
    a thousand has its keys in another order.

    Returns:
        The files in the order of their keys.
    """
    source = random.Random(f"{records} {image_bytes}")
    pool = base64.b64encode(source.randbytes(_POOL_BYTES)).decode()
    start, step = datetime(2026, 11, 1, tzinfo=UTC), timedelta(days=DAYS) / records
    paths, at = [], 0
    while at < records:
        count = min(source.randint(1, most_per_object), records - at)
        moment = start + step * at
        folder = directory / f"{ENDPOINT}/{moment:%Y/%m/%d/%H}"
        folder.mkdir(parents=True, exist_ok=True)
        name = uuid.UUID(int=source.getrandbits(128), version=4)
        path = folder / f"{moment:%M-%S}-{moment.microsecond // 1000:03}-{name}.jsonl"
        lines = [_line(source, pool, image_bytes, start + step * i) for i in range(at, at + count)]
        path.write_text("".join(lines))
        paths.append(path)
        at += count
    return sorted(paths)


def _line(source: random.Random, pool: str, image_bytes: int, moment: datetime) -> str:
    size = int(image_bytes * source.uniform(0.9, 1.1)) // 3 * 4
    begin = source.randrange(len(pool) - size) // 4 * 4
    sent = _part("Input", "image/png", "INPUT", pool[begin : begin + size], "BASE64")
    answered = _output(source)
    ours = f',"inferenceId":"i-{source.getrandbits(48):012x}"' if source.random() < 0.3 else ""  # noqa: PLR2004 - documented
    event = (
        f'"eventMetadata":{{"eventId":"{uuid.UUID(int=source.getrandbits(128), version=4)}"{ours},'
        f'"inferenceTime":"{moment:%Y-%m-%dT%H:%M:%SZ}"}}'
    )
    if source.random() < 0.001:  # noqa: PLR2004 - documented
        return f'{{"eventVersion":"0",{event},"captureData":{{{answered},{sent}}}}}\n'
    return f'{{"captureData":{{{sent},{answered}}},{event},"eventVersion":"0"}}\n'


def _output(source: random.Random) -> str:
    first = source.betavariate(0.4, 0.4)
    row = f"[{first!r}, {1 - first!r}]"
    kind = source.random()
    if kind < 0.01:  # noqa: PLR2004 - documented
        encoded = base64.b64encode(row.encode()).decode()
        return _part("Output", "application/json", "OUTPUT", encoded, "BASE64")
    if kind < 0.02:  # noqa: PLR2004 - documented
        return _part("Output", "text/csv", "OUTPUT", f"{first!r},{1 - first!r}", "CSV")
    return _part("Output", "application/json", "OUTPUT", row, "JSON")


def _part(name: str, kind: str, mode: str, data: str, encoding: str) -> str:
    return (
        f'"endpoint{name}":{{"observedContentType":"{kind}","mode":"{mode}","data":"{data}",'
        f'"encoding":"{encoding}"}}'
    )
