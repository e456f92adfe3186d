# Sums of the exported files in the folder argv[1], by DuckDB, against those in TABLE.sums. Prints how many were compared.
import glob
import json
import os
import sys

import duckdb

folder, compared, wrong = sys.argv[1], 0, []


def summed(source, column, kind):
    if kind in ("UBIGINT", "BIGINT"):
        return duckdb.sql(f'select sum("{column}") from {source}').fetchall()[0][0] or 0
    if kind.startswith("MAP"):
        return duckdb.sql(f'select sum(list_sum(map_values("{column}"))) from {source}').fetchall()[0][0] or 0
    if kind.startswith("STRUCT"):
        return duckdb.sql(f'select sum(list_sum(map_values("{column}"::json::map(varchar, ubigint)))) from {source}').fetchall()[0][0]
    if kind not in ("VARCHAR", "JSON"):
        return None
    texts = [text for (text,) in duckdb.sql(f'select "{column}" from {source}').fetchall() if text]
    counts = [json.loads(text) for text in texts if text[0] in "[{"]
    return sum(sum(each.values()) if isinstance(each, dict) else sum(count for _, count in each) for each in counts)


for file in sorted(glob.glob(f"{folder}/*.sums")):
    table = os.path.basename(file).removesuffix(".sums")
    for way in ("parquet", "csv_auto", "json_auto"):
        path = f"{folder}/{table}." + {"parquet": "parquet", "csv_auto": "csv", "json_auto": "ndjson"}[way]
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            continue
        source = f"read_{way}('{path}')"
        kinds = {name: kind for name, kind, *_ in duckdb.sql(f"describe from {source}").fetchall()}
        expected = json.load(open(file))
        # Of no rows, CSV does not tell.
        if expected["rows"] > 0 and not kinds["at"].startswith("TIMESTAMP"):
            wrong.append(f"{path}: at is {kinds['at']}")
        for column, right in expected.items():
            if column == "rows":
                found = duckdb.sql(f"select count(*) from {source}").fetchall()[0][0]
            # JSON has distributions within the row; what is null throughout has no type of its own.
            elif column in kinds and right > 0:
                found = summed(source, column, kinds[column])
            else:
                found = right if way == "json_auto" or right == 0 else None
            compared += 1
            if found != right:
                wrong.append(f"{path}: {column} ({kinds.get(column)}): {found}, not {right}")

for file in glob.glob(f"{folder}/io.devices.parquet"):
    said = dict(duckdb.sql(f"select decode(key), decode(value) from parquet_kv_metadata('{file}')").fetchall())
    if (said.get("bytes.unit"), said.get("queue_p99_ns.unit"), said.get("ios.source")) != ("bytes", "ns", "block_rq_complete"):
        wrong.append(f"{file}: {said}")

if wrong:
    sys.exit("\n".join(wrong))
print(compared)
