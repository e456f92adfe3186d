//! What another program reads: DuckDB's sums against those of the snapshots.

use std::{fs, path::PathBuf, process::Command};

use super::*;

const SUMS: &str = include_str!("sums.py");

/// The Python that has it; `cargo xtask test` installs it.
fn python() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    test.ancestors().map(|folder| folder.join("tools/duckdb/bin/python")).find(|python| python.exists())
}

/// Of one table: how many rows, and the sum of each column that adds up.
type Sums = BTreeMap<String, u64>;

fn recorded() -> Vec<Snapshot> {
    let records = [
        include_str!("../../../../../tests/recorded/device_saturated.jsonl"),
        include_str!("../../../../../tests/recorded/retransmits.jsonl"),
        include_str!("../../../../../tests/recorded/slow_calls.jsonl"),
    ];
    let lines = records.iter().flat_map(|record| record.lines());
    lines.map(|line| serde_json::from_str(line).unwrap()).chain(snapshots()).collect()
}

/// Straight from the rows.
struct Expected<'a> {
    snapshots: &'a [Snapshot],
    sums: BTreeMap<&'static str, Sums>,
}

impl EachTable for Expected<'_> {
    type Error = Infallible;

    fn table<T: Tabular>(&mut self, of: Of<T>) -> Result<(), Infallible> {
        let sums = self.sums.entry(T::Row::NAME).or_default();
        sums.insert("rows".into(), 0);
        for table in self.snapshots.iter().filter_map(of) {
            let others = table.others().map(|others| others.cells());
            for cells in table.rows().iter().map(Columns::cells).chain(others) {
                add(sums, "rows".into(), 1);
                for (column, cell) in T::Row::COLUMNS.iter().zip(cells).filter(|(column, _)| !column.json.hidden) {
                    let (key, parts) = (column.json.key, column.json.parts.is_empty() && !column.json.flat);
                    match cell {
                        Cell::Count(count) => add(sums, key.into(), count),
                        Cell::Times(times) if parts => {
                            add(sums, format!("{key}_count"), times.count);
                            add(sums, format!("{key}_histogram"), times.histogram().map(|(_, count)| count).sum());
                        }
                        Cell::Named(counts) => add(sums, key.into(), counts.iter().map(|(_, count)| count).sum()),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

fn add(sums: &mut Sums, key: String, count: u64) {
    *sums.entry(key).or_insert(0) += count;
}

#[test]
fn duckdb_reads_the_same_sums() {
    let Some(python) = python() else {
        println!("skipped: no DuckDB in target/tools/duckdb (cargo xtask test installs it)");
        return;
    };
    let folder = std::env::temp_dir().join(format!("stillwatch-export-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let snapshots = recorded();
    let mut expected = Expected { snapshots: &snapshots, sums: BTreeMap::new() };
    let Ok(()) = tables::each(&mut expected);
    for (&table, sums) in &expected.sums {
        fs::write(folder.join(format!("{table}.sums")), serde_json::to_string(sums).unwrap()).unwrap();
        let file = |format| fs::File::create(folder.join(format!("{table}.{format}"))).unwrap();
        export(Exporter::ndjson(file("ndjson"), Some(table), Some(HOST.into())), &snapshots);
        export(Exporter::csv(file("csv"), table, Some(HOST.into())).unwrap(), &snapshots);
        #[cfg(feature = "parquet")]
        export(Exporter::parquet(file("parquet"), table, Some(HOST.into())).unwrap(), &snapshots);
    }
    let output = Command::new(python).arg("-c").arg(SUMS).arg(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    fs::remove_dir_all(&folder).unwrap();
    assert!(output.status.success(), "{said}");
    let compared: usize = said.trim().parse().unwrap();
    assert!(compared > 300, "only {compared} sums were compared");
}
